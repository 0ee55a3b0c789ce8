import Adapters
public import ArgumentParser
import Bundles
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
    "A Hugging Face directory, a .gguf file, a bundle directory, a .flare file or a name in the store."
}

/// An adapter's directory and the weight it gets: `PATH` or `PATH=0.5`.
struct AdapterArgument: ExpressibleByArgument {
  let path: FilePath
  let weight: Float

  /// - Returns: nil for an empty path, for a weight that is 0 or not a number, and for a name that the
  ///   store cannot give.
  init?(argument: String) {
    // A path may hold '=' itself: one that exists is meant whole, and only a number is a weight.
    if !FilePath(argument).exists, let separator = argument.lastIndex(of: "="),
      let weight = Float(argument[argument.index(after: separator)...])
    {
      self.init(String(argument[..<separator]), weight: weight)
    } else {
      self.init(argument, weight: 1)
    }
  }

  private init?(_ argument: String, weight: Float) {
    guard weight.isFinite, weight != 0, let path = try? FilePath.pathOrName(argument) else {
      return nil
    }
    self.path = path
    self.weight = weight
  }

  static var defaultCompletionKind: CompletionKind { .directory }
}

/// Options of every command that takes adapters.
struct AdapterOptions: ParsableArguments {
  @Option(
    name: .customLong("adapter"),
    help: ArgumentHelp(
      "An adapter: a directory as PEFT or MLX writes it, a GGUF file, a package of 'flare pack' or a "
        + "name in the store; repeat it to stack several in order.",
      valueName: "path[=weight]"))
  var adapters: [AdapterArgument] = []

  @Flag(
    help: ArgumentHelp(
      "Use a packaged adapter on another model than the one it was made for, and what a merge left "
        + "beside its weights on others."))
  var allowBaseMismatch = false

  /// Reads the adapters for the model that they will run on.
  ///
  /// - Parameter keys: one of them has to have signed each adapter; none to ask for no signature.
  /// - Throws: a `FlareError`, also when a package, or what the model brings itself, was made for another
  ///   model.
  func read(
    for model: ModelFiles, requiring keys: [VerifyingKey], with kernels: Kernels
  ) throws -> [AdapterStack.Member] {
    try check(model, with: kernels) { try model.residueMismatch($0) }
    if adapters.isEmpty { return [] }
    let base = try model.configuration().adapterBase
    return try adapters.map { argument in
      let files = try AdapterFiles(argument.path, requiring: keys)
      try check(model, with: kernels) { try files.mismatch(with: model, $0) }
      return try read(files, weight: argument.weight, for: base, with: kernels)
    }
  }

  /// Reads the adapters for a base of which that is known.
  func read(
    for base: AdapterBase, requiring keys: [VerifyingKey], with kernels: Kernels
  ) throws -> [AdapterStack.Member] {
    try adapters.map {
      try read(
        try AdapterFiles($0.path, requiring: keys), weight: $0.weight, for: base, with: kernels)
    }
  }

  /// Checks that the model is the one that something was made for.
  ///
  /// - Parameter mismatch: how it differs from that one; given a way to find out which model it is.
  private func check(
    _ model: ModelFiles, with kernels: Kernels,
    _ mismatch: (() throws -> ModelIdentity?) throws -> String?
  ) throws {
    let bar = ProgressBar(
      "Looking at the base", total: model.weightByteCount,
      unit: .bytes)
    let mismatch = try bar.during {
      try mismatch {
        guard !model.isQuantized else { return nil }
        return try IdentityCache().identity(of: model, with: kernels) { bar.advance(by: $0) }
      }
    }
    guard let mismatch else { return }
    guard allowBaseMismatch else {
      throw ModelError(
        .identity, "\(mismatch). Pass --allow-base-mismatch to use it all the same")
    }
    standardError.write("flare: \(mismatch). Used all the same, as was asked for\n")
  }

  private func read(
    _ files: AdapterFiles, weight: Float, for base: AdapterBase, with kernels: Kernels
  ) throws -> AdapterStack.Member {
    let adapter = try files.adapter(for: base, with: kernels)
    for note in adapter.notes { standardError.write("flare: \(adapter.name): \(note)\n") }
    return AdapterStack.Member(adapter, weight: weight)
  }

  /// Opens a model with the adapters on it.
  func open(
    _ files: ModelFiles, requiring keys: [VerifyingKey], with kernels: Kernels
  ) throws -> LanguageModel {
    try LanguageModel(
      files, adapters: try read(for: files, requiring: keys, with: kernels), with: kernels)
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
