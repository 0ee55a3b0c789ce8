import Adapters
public import ArgumentParser
import Files
public import Kernels
import Models
public import SystemPackage

extension FilePath: @retroactive ExpressibleByArgument {
  public init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    self.init(argument)
  }

  public static var defaultCompletionKind: CompletionKind { .file() }
}

extension ArgumentHelp {
  /// What every command that runs a model takes.
  static let model: ArgumentHelp =
    "A Hugging Face directory, a .gguf file, a bundle directory or a .flare file."
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
      "An adapter: a directory as PEFT or MLX writes it, or a GGUF file; repeat it to stack several "
        + "in order.",
      valueName: "path[=weight]"))
  var adapters: [AdapterArgument] = []

  /// Reads the adapters for the model that they will run on.
  func read(for model: ModelFiles, with kernels: Kernels) throws -> [AdapterStack.Member] {
    adapters.isEmpty ? [] : try read(for: try model.configuration().adapterBase, with: kernels)
  }

  /// Reads the adapters for a base of which that is known.
  func read(for base: AdapterBase, with kernels: Kernels) throws -> [AdapterStack.Member] {
    try adapters.map { argument in
      let adapter = try Adapter(argument.path, for: base, with: kernels)
      for note in adapter.notes { standardError.write("flare: \(adapter.name): \(note)\n") }
      return AdapterStack.Member(adapter, weight: argument.weight)
    }
  }

  /// Opens the model at `path` with the adapters on it.
  func open(_ path: FilePath, with kernels: Kernels) throws -> LanguageModel {
    try open(try ModelFiles(path), with: kernels)
  }

  /// The same for a model whose files are known.
  func open(_ files: ModelFiles, with kernels: Kernels) throws -> LanguageModel {
    try LanguageModel(files, adapters: try read(for: files, with: kernels), with: kernels)
  }
}

extension KeyValueType: ExpressibleByArgument {}

/// The option of every command that runs a text.
struct KeyValueOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How attention keeps keys and values: f16, int8 (half of that memory), f32 (exact). Default: "
        + "f16; f32 where logits are written.", valueName: "type"))
  var kvType: KeyValueType?
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
    name: [.customShort("t"), .long],
    help: "Threads to compute with (default: one for each physical core that may be used).")
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
