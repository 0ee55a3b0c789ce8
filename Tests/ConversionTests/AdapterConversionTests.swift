import Adapters
import Conversion
import Files
import Kernels
import Models
import SystemPackage
import TestSupport
import Testing

/// Adapters in another layout say what they said before.
struct AdapterConversionTests {
  struct Case: CustomTestStringConvertible {
    let model: String
    let adapter: String
    var testDescription: String { "\(model) \(adapter)" }
  }

  static func cases(_ names: KeyValuePairs<String, [String]>) -> [Case] {
    names.flatMap { model, adapters in adapters.map { Case(model: model, adapter: $0) } }
  }

  static let fusions = [
    "flare-add", "flare-add_relu", "flare-mul", "flare-matmul", "flare-matmul_relu",
    "flare-cross-attention", "flare-mt",
  ]

  /// Everything but whole tensors of an adapter's own.
  static let peftCases = cases([
    "llama": [
      "dora", "embedding", "embedding-dora", "head", "layer-targets", "lora", "lora-2", "mlx-dora",
      "mlx-lora", "named-flare", "named-lora", "regex-targets", "rslora-patterns",
    ] + fusions,
    "gemma2": ["dora", "embedding", "embedding-dora", "embedding-tied", "head", "lora"] + fusions,
    "llama-biased": ["dora", "lora-bias"],
  ])

  static let ggufCases = cases([
    "llama": [
      "embedding", "head", "layer-targets", "lora", "lora-2", "mlx-lora", "named-lora",
      "regex-targets", "rslora-patterns",
    ],
    "gemma2": ["lora"],
  ])

  static let mlxCases = cases([
    "llama": ["dora", "embedding", "head", "lora", "mlx-dora", "regex-targets", "rslora-patterns"],
    "gemma2": ["dora", "lora"],
  ])

  /// Converts what is at `path` and gives where it is now.
  func convert(
    _ path: FilePath, for model: VectorModel, to destination: FilePath,
    form: AdapterConversion.Form? = nil
  ) throws -> FilePath {
    let conversion = try AdapterConversion(
      path, for: model.files(), to: destination, form: form, with: model.kernels)
    try conversion.run(with: model.kernels)
    return destination
  }

  @Test(arguments: peftCases)
  func `an adapter in PEFT's layout gives the same logits, bit for bit`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(test.model)
      let original = try model.adapter(test.adapter)
      let destination = try convert(
        original.path, for: model, to: directory.appending("converted"))
      let converted = try model.adapter(at: destination)
      let (before, after) = (try model.logits(original), try model.logits(converted))
      #expect(converted.form == .peft && converted.fusion == original.fusion)
      #expect(after == before)
      #expect(try largestDifference(after, model.logits()) > 0.05)
      #expect(try directory.entryNames == ["converted"])
      #expect(
        try destination.entryNames == ["adapter_config.json", "adapter_model.safetensors"])
    }
  }

  @Test(arguments: mlxCases)
  func `an adapter in MLX's layout gives the same logits`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(test.model)
      let original = try model.adapter(test.adapter)
      let mlx = try convert(
        original.path, for: model, to: directory.appending("mlx"), form: .mlx)
      let converted = try model.adapter(at: mlx)
      #expect(converted.form == .mlx)
      let difference = largestDifference(
        try model.logits(converted), try model.logits(original))
      #expect(difference < 1e-4)
      #expect(try mlx.entryNames == ["adapter_config.json", "adapters.safetensors"])
    }
  }

  @Test(arguments: ggufCases)
  func `an adapter as GGUF, and as PEFT's again, gives the same logits`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(test.model)
      let original = try model.adapter(test.adapter)
      let gguf = try convert(original.path, for: model, to: directory.appending("lora.gguf"))
      let peft = try convert(gguf, for: model, to: directory.appending("lora"))
      let expected = try model.logits(original)
      #expect(try largestDifference(expected, model.logits()) > 0.05)
      for (path, form) in [(gguf, Adapter.Form.gguf), (peft, .peft)] {
        let converted = try model.adapter(at: path)
        #expect(converted.form == form)
        expectClose(try model.logits(converted), expected, within: 1e-4)
      }
      #expect(try directory.entryNames == ["lora", "lora.gguf"])
    }
  }

  @Test func `an adapter becomes PEFT's without its base`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let destination = directory.appending("converted")
      let path = model.path.appending("mlx-lora")
      try AdapterConversion(path, for: nil, to: destination, with: model.kernels)
        .run(with: model.kernels)
      let (before, after) = (
        try model.logits(model.adapter("mlx-lora")),
        try model.logits(model.adapter(at: destination))
      )
      #expect(after == before)
    }
  }

  @Test func `alpha is written as it was read`() throws {
    for (name, alpha) in [("dora", "3"), ("lora", "8")] {
      try withTemporaryDirectory { directory in
        let model = try VectorModel("llama")
        let destination = try convert(
          model.path.appending(name), for: model, to: directory.appending("converted"))
        let text = try destination.appending("adapter_config.json").readText()
        #expect(text.contains("\"lora_alpha\": \(alpha)"), "\(text)")
      }
    }
  }
}
