import Adapters
import Conversion
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import WeightFiles

/// A tiny random checkpoint with the logits that transformers and peft compute for it.
struct GoldenModel {
  let path: FilePath
  private let expected: [SafetensorsFile]

  init(_ name: String, in folder: String = "models") throws {
    let path = Vectors.path("\(folder)/\(name)")
    self.path = path
    expected = try ["expected", "expected-adapters"].map { path.appending("\($0).safetensors") }
      .filter(\.exists).map { try SafetensorsFile($0) }
  }

  /// A tensor of the witness.
  func tensor(_ name: String) throws -> Tensor {
    let file = expected.first { $0.info(named: name) != nil } ?? expected[0]
    return try file.tensor(named: name)
  }

  func tokens(_ name: String) throws -> [Int] {
    let bytes = try tensor(name).byteArray
    return stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
    }
  }

  func logits(_ name: String) throws -> [Float] {
    try tensor("logits.\(name)").floatArray
  }

  func kernels() throws -> Kernels { try Kernels(threadCount: 2) }

  func files() throws -> ModelFiles { try ModelFiles(path) }

  /// The adapters of those names, read from beside the model.
  func adapters(_ names: [String]) throws -> [Adapter] {
    try names.map { try Adapter(path.appending($0), with: kernels()) }
  }

  func model(_ adapterNames: [String] = []) throws -> LanguageModel {
    try LanguageModel(
      path, adapters: adapters(adapterNames).map { AdapterStack.Member($0) }, with: kernels())
  }

  /// The model with other tensors in place of its own.
  func model(
    running tensors: any TensorSource, with adapters: [Adapter] = []
  ) throws -> LanguageModel {
    try LanguageModel(
      files(), tensors: tensors, adapters: adapters.map { AdapterStack.Member($0) },
      with: kernels())
  }

  /// The model with adapters merged in float32 and what is left of them beside it.
  func merged(
    _ adapterNames: [String], isSourceFree: Bool = false
  ) throws -> (model: LanguageModel, plan: MergePlan) {
    let stack = try AdapterStack(adapters(adapterNames).map { AdapterStack.Member($0) }).fitted(
      to: files().tensors, isTied: files().configuration().tiesWordEmbeddings, with: kernels())
    let plan = MergePlan(stack, isSourceFree: isSourceFree)
    let tensors = MergedTensors(
      try files().tensors, plan, with: try kernels()
    ) { _ in .float32 }
    return (try model(running: tensors, with: plan.parts.compactMap(\.residue)), plan)
  }

  /// The model behind a merge to float32 on disk, opened from there.
  func converted(
    _ adapterNames: [String], in directory: FilePath
  ) throws -> LanguageModel {
    let destination = directory.appending("merged")
    let conversion = try Conversion(
      ConversionRequest(
        model: files(), adapters: adapters(adapterNames).map { AdapterStack.Member($0) },
        destination: destination, form: .huggingFace, elementType: .float32),
      with: kernels())
    try conversion.check()
    try conversion.run()
    return try LanguageModel(destination, with: kernels())
  }
}

extension LanguageModel {
  /// All logits in one array, row after row.
  @discardableResult
  func logitArray(of tokens: [Int], source: [Int]? = nil) throws -> [Float] {
    try logitArray(of: tokens, reading: source.map { .tokens($0) })
  }

  /// The same with a source of any kind.
  @discardableResult
  func logitArray(of tokens: [Int], reading source: Source?) throws -> [Float] {
    let logits = try logits(of: tokens, source: source)
    let elements = logits.elements
    return elements.indices.map { elements[$0] }
  }
}
