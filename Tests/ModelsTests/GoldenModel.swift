import Adapters
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import WeightFiles

/// A tiny random checkpoint with the logits that transformers and peft compute for it.
struct GoldenModel {
  let path: FilePath
  private let expected: SafetensorsFile

  init(_ name: String) throws {
    path = Vectors.path("models/\(name)")
    expected = try SafetensorsFile(path.appending("expected.safetensors"))
  }

  func tokens(_ name: String) throws -> [Int] {
    let bytes = try expected.tensor(named: name).byteArray
    return stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
    }
  }

  func logits(_ name: String) throws -> [Float] {
    try expected.tensor(named: "logits.\(name)").floatArray
  }

  /// The adapters of those names, read from beside the model.
  func adapters(_ names: [String]) throws -> [AdapterStack.Member] {
    try names.map { name in
      AdapterStack.Member(try Adapter(path.appending(name), with: try Self.requiredKernels()))
    }
  }

  func model(_ adapterNames: [String] = []) throws -> LanguageModel {
    try LanguageModel(path, adapters: adapters(adapterNames), with: try Self.requiredKernels())
  }

  static func requiredKernels() throws -> Kernels { try Kernels(threadCount: 2) }
}

extension LanguageModel {
  /// All logits in one array, row after row.
  func logitArray(of tokens: [Int], source: [Int]? = nil) throws -> [Float] {
    let logits = try logits(of: tokens, source: source)
    let elements = logits.elements
    return elements.indices.map { elements[$0] }
  }
}
