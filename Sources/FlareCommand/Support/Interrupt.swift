import Dispatch
import Files
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Keeps the signal sources alive; they stop when released.
private let interruptSources = Mutex<[any DispatchSourceSignal]>([])

/// Makes an interrupt or a termination remove what is half-written before the process ends.
func removePendingOutputsOnInterrupt() {
  for number in [SIGINT, SIGTERM, SIGHUP] {
    unsafe signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      PendingOutputs.removeAll()
      // The shell's convention for a process that a signal ended.
      _exit(128 + number)
    }
    source.resume()
    interruptSources.withLock { $0.append(source) }
  }
}
