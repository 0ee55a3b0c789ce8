import Adapters
public import ArgumentParser
import Files
import Kernels
import Models
public import SystemPackage

extension FilePath: @retroactive ExpressibleByArgument {
  public init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    self.init(argument)
  }

  public static var defaultCompletionKind: CompletionKind { .file() }
}

/// An adapter's directory and the weight it gets: `PATH` or `PATH=0.5`.
struct AdapterArgument: ExpressibleByArgument {
  let path: FilePath
  let weight: Float

  /// - Returns: nil for an empty path, and for a weight that is 0 or not a number.
  init?(argument: String) {
    // A path may hold '=' itself: one that exists is meant whole, and only a number is a weight.
    if !FilePath(argument).exists, let separator = argument.lastIndex(of: "="),
      let weight = Float(argument[argument.index(after: separator)...])
    {
      path = FilePath(String(argument[..<separator]))
      self.weight = weight
    } else {
      path = FilePath(argument)
      weight = 1
    }
    guard !path.isEmpty, weight.isFinite, weight != 0 else { return nil }
  }

  static var defaultCompletionKind: CompletionKind { .directory }
}

/// Options of every command that takes adapters.
struct AdapterOptions: ParsableArguments {
  @Option(
    name: .customLong("adapter"),
    help: ArgumentHelp(
      "An adapter directory, in PEFT's layout; repeat it to stack several in order.",
      valueName: "path[=weight]"))
  var adapters: [AdapterArgument] = []

  func read(with kernels: Kernels) throws -> [AdapterStack.Member] {
    try adapters.map {
      AdapterStack.Member(try Adapter($0.path, with: kernels), weight: $0.weight)
    }
  }
}

extension ModelFiles {
  /// Says on standard error what is odd about the files.
  func warn() {
    for warning in warnings { standardError.write("flare: warning: \(warning)\n") }
  }
}

/// Options of every command that computes.
struct ComputeOptions: ParsableArguments {
  @Option(
    name: [.customShort("t"), .long], help: "Threads to compute with (default: one a core).")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("'--threads' is \(threads), expected 1 to 1024")
    }
  }

  func kernels() throws -> Kernels {
    try threads.map { try Kernels(threadCount: $0) } ?? Kernels()
  }
}
