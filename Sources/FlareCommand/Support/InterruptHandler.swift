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
    reportFailuresOfMappedFiles()
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if number == SIGINT, StoppableTask.shared.stop() { return }
        for path in PendingOutputs.removeAll() {
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

/// Has a mapped file that can no longer be read end the process with a sentence about it.
private func reportFailuresOfMappedFiles() {
  var action = sigaction()
  action.sa_flags = SA_SIGINFO
  let handler:
    @convention(c) (Int32, UnsafeMutablePointer<siginfo_t>?, UnsafeMutableRawPointer?) -> Void = {
      _, info, _ in
      let address = unsafe info.flatMap { unsafe $0.pointee.faultAddress } ?? 0
      let path = MappedRanges.path(at: address)
      let kept = PendingOutputs.removeAll().map {
        " What is done is kept in '\($0)': the same command with --resume goes on from there"
      }
      standardError.write(
        "flare: \(path.map { "\($0)" } ?? "a mapped file"): cannot be read any more: its device failed, or "
          + "another program cut it.\(kept.joined())\n")
      _exit(path == nil ? 70 : 65)
    }
  #if canImport(Glibc)
    unsafe action.__sigaction_handler.sa_sigaction = handler
  #else
    unsafe action.__sigaction_u.__sa_sigaction = handler
  #endif
  unsafe sigaction(SIGBUS, &action, nil)
}

extension siginfo_t {
  /// The address that could not be read.
  fileprivate var faultAddress: UInt? {
    #if canImport(Glibc)
      unsafe UInt(bitPattern: _sifields._sigfault.si_addr)
    #else
      unsafe UInt(bitPattern: si_addr)
    #endif
  }
}
