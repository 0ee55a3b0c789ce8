import Dispatch
import Files

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// While it lives, an interrupt or a termination removes what is half-written before the process
/// ends.
///
/// An interrupt while a stoppable task runs is for that task alone.
struct InterruptHandler {
  private let sources: [any DispatchSourceSignal]

  init() {
    // A reader that went away and a file that may grow no more are then errors of the write, which
    // can tidy up.
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if number == SIGINT, StoppableTask.shared.stop() { return }
        PendingOutputs.removeAll()
        for path in PendingOutputs.keptPaths {
          standardError.write(
            "\nflare: stopped. What is done is kept in '\(path)': the same command with --resume "
              + "goes on from there\n")
        }
        // The shell's convention for a process that a signal ended.
        _exit(128 + number)
      }
      source.resume()
      return source
    }
  }
}
