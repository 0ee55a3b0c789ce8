import Bundles
import SystemPackage
import Tensors
import TestSupport

/// A bundle whose weights take several pieces, with all that a model comes with.
enum LargerBundle {
  /// Five tensors of 200 000 bytes: the weights take four pieces.
  static let names = (0..<5).map { "model.layers.\($0).weight" }

  static let weights = TensorTable(
    names.enumerated().map { number, name in
      let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
      return (name, Tensor(bytes: bytes, shape: [50_000], elementType: .float32))
    })

  static let template = "{% for m in messages %}{{ m.content }}{% endfor %}"

  static let texts: KeyValuePairs = [
    "LICENSE": "Apache-2.0\n", "chat_template.jinja": template,
    "config.json": #"{"model_type": "llama"}"#, "tokenizer.json": #"{"model": {}}"#,
    "zzz/adapter_config.json": "{}",
  ]

  static let description = BundleManifest(
    architecture: "llama", createdBy: "flare 1.0", license: "Apache-2.0")

  /// Writes the bundle at `path`.
  static func write(to path: FilePath) throws {
    var writer = try BundleWriter(path)
    try writer.addWeights(weights)
    for (name, text) in texts { try writer.addFile(name, text: text) }
    try writer.commit(description)
  }
}

extension FilePath {
  /// Changes one bit of the byte at `offset`, counted from the end when it is negative.
  func flipByte(at offset: Int) throws {
    var bytes = try readBytes()
    bytes[offset < 0 ? bytes.count + offset : offset] ^= 1
    try overwrite(bytes)
  }
}
