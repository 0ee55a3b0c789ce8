import Adapters
import Conversion
import Crypto
import Files
import JSON
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints as GGUF files and back.
struct GGUFModelTests {
  /// Models of `Tests/Vectors/models`, and of each GGUF tensor the hash of its values.
  static let models: [(name: String, hashes: [String: String])] = {
    guard let document = try? JSONValue(contentsOf: Vectors.path("gguf/models.json")),
      let models = document["models"]?.object
    else { return [] }
    return models.map { name, tensors in
      (name, Dictionary(uniqueKeysWithValues: tensors.object?.map { ($0, $1.string ?? "") } ?? []))
    }
  }()

  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  private func convert(
    _ source: FilePath, adapters: [String] = [], to destination: FilePath,
    form: ConversionRequest.Form = .gguf, preset: GGUFPreset? = nil, isSourceFree: Bool = false
  ) throws {
    let files = try ModelFiles(source)
    let base = try files.configuration().adapterBase
    let request = ConversionRequest(
      model: files,
      adapters: try adapters.map {
        AdapterStack.Member(try Adapter(source.appending($0), for: base, with: kernels))
      },
      destination: destination, form: form, preset: preset, isSourceFree: isSourceFree)
    let conversion = try Conversion(request, with: kernels)
    try conversion.check()
    try conversion.run()
  }

  @Test func `there are golden hashes of models`() { #expect(Self.models.count >= 3) }

  @Test(arguments: models.map(\.name))
  func `every tensor has the name of the gguf package and the values of llama.cpp's converter`(
    model: String
  ) throws {
    var expected = try #require(Self.models.first { $0.name == model }).hashes
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      let source = Vectors.path("models/\(model)")
      guard let unsayable = Self.unsayable[model] else {
        try convert(source, to: path)
        for info in try GGUFCheckpoint(path).tensors where info.name != "rope_freqs.weight" {
          let tensor = try GGUFCheckpoint(path).tensor(named: info.name)
          let values = kernels.tensor(
            kernels.floats(of: tensor), shape: tensor.shape, as: .float32)
          #expect(values.sha256 == expected.removeValue(forKey: info.name), "\(info.name)")
        }
        #expect(expected.isEmpty, "left out: \(expected.keys)")
        return
      }
      let error = #expect(throws: ConversionError.self) { try convert(source, to: path) }
      #expect(error?.description.contains(unsayable) == true, "\(String(describing: error))")
      #expect(try directory.entryNames.isEmpty)
    }
  }

  /// Models that no GGUF file can be, and what the message names.
  static let unsayable = ["gemma2": "'lm_head.weight'"]

  @Test(arguments: models.map(\.name).filter { unsayable[$0] == nil })
  func `a GGUF file gives the logits of the checkpoint, and the checkpoint comes back bit for bit`(
    model: String
  ) throws {
    try withTemporaryDirectory { directory in
      let source = Vectors.path("models/\(model)")
      let file = directory.appending("model.gguf"), back = directory.appending("back")
      try convert(source, to: file)
      try convert(file, to: back, form: .huggingFace)
      let one = try ModelFiles(source), other = try ModelFiles(back)
      for info in one.tensors.tensorInfos {
        #expect(other.tensors.info(named: info.name) == info)
        let tensors = try (
          one.tensors.tensor(named: info.name), other.tensors.tensor(named: info.name)
        )
        #expect(tensors.0.hasSameBytes(as: tensors.1), "\(info.name)")
      }
      #expect(one.tensors.tensorInfos.count == other.tensors.tensorInfos.count)
      let expected = try LanguageModel(source, with: kernels).logitArray()
      #expect(try LanguageModel(back, with: kernels).logitArray() == expected)
      let logits = try LanguageModel(file, with: kernels).logitArray()
      #expect(largestDifference(logits, expected) < 1e-4)
    }
  }

  @Test func `converting a GGUF file to GGUF gives its bytes`() throws {
    try withTemporaryDirectory { directory in
      let first = directory.appending("a.gguf"), second = directory.appending("b.gguf")
      try convert(Vectors.path("models/llama"), to: first)
      try convert(first, to: second)
      #expect(try first.readBytes() == second.readBytes())
    }
  }

  @Test func `a LoRA is merged on the way, and changes the file`() throws {
    try withTemporaryDirectory { directory in
      let source = Vectors.path("models/llama")
      let file = directory.appending("merged.gguf")
      try convert(source, adapters: ["lora"], to: file)
      let adapter = try Adapter(source.appending("lora"), with: kernels)
      let expected = try LanguageModel(
        source, adapters: [AdapterStack.Member(adapter)], with: kernels
      ).logitArray()
      let logits = try LanguageModel(file, with: kernels).logitArray()
      #expect(largestDifference(logits, expected) < 1e-3)
      let base = try LanguageModel(source, with: kernels).logitArray()
      #expect(largestDifference(logits, base) > 0.1)
    }
  }

  @Test func `what must see a source at run time cannot go into a GGUF file`() throws {
    try withTemporaryDirectory { directory in
      let source = Vectors.path("models/llama")
      let file = directory.appending("flare.gguf")
      let error = #expect(throws: ConversionError.self) {
        try convert(source, adapters: ["flare-add_relu"], to: file)
      }
      #expect(
        error?.description
          == "what stays of the adapter 'flare-add_relu' has to run beside the weights, which a GGUF "
          + "file cannot say. Write a bundle, or merge it with --no-source")
      try convert(source, adapters: ["flare-add_relu"], to: file, isSourceFree: true)
      #expect(file.exists)
    }
  }
}

extension Tensor {
  fileprivate var sha256: String {
    unsafe bytes.withUnsafeBytes { unsafe SHA256.hash(data: $0) }
      .map { byte in
        let text = String(byte, radix: 16)
        return byte < 16 ? "0" + text : text
      }.joined()
  }
}
