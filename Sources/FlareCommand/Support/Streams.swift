import Files
import JSON
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where text goes: results to standard output, everything else to standard error.
struct OutputStream: Sendable {
  fileprivate let descriptor: FileDescriptor

  /// Writes at once, so that generated text appears as it comes.
  ///
  /// A result that cannot be written ends the process. A reader that has gone away is no error
  /// worth a word, as for any filter.
  func write(_ text: String) {
    do {
      try descriptor.writeAll(text.utf8)
    } catch {
      guard descriptor == .standardOutput else { return }
      PendingOutputs.removeAll()
      if error as? Errno == .brokenPipe { exit(128 + SIGPIPE) }
      standardError.write("flare: standard output: cannot be written: \(error)\n")
      exit(73)
    }
  }

  var isTerminal: Bool { isatty(descriptor.rawValue) == 1 }

  /// Columns of the terminal, or 80.
  var width: Int {
    var size = winsize()
    guard unsafe ioctl(descriptor.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }
}

let standardOutput = OutputStream(descriptor: .standardOutput)
let standardError = OutputStream(descriptor: .standardError)

/// Writes one JSON document to standard output.
func writeJSON(_ value: JSONValue) {
  standardOutput.write(value.serialized(isIndented: true) + "\n")
}
