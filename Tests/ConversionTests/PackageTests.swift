import Adapters
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

struct PackageTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  private static let base = Vectors.path("models/llama")

  private func package(
    _ adapter: String, for base: FilePath = base, to path: FilePath
  ) throws -> AdapterFiles {
    try AdapterPackaging(
      Self.base.appending(adapter), for: try ModelFiles(base), license: "MIT", with: kernels
    ).run(to: path, mayReplace: false, workerCount: 2)
    return try AdapterFiles(path)
  }

  private func mismatch(_ files: AdapterFiles, _ model: FilePath) throws -> String? {
    let model = try ModelFiles(model)
    return try files.mismatch(with: model) {
      model.isQuantized ? nil : try ModelIdentity(of: model, with: kernels)
    }
  }

  @Test(arguments: ["lora", "dora", "flare-add_relu", "flare-mt", "mlx-lora"])
  func `a packaged adapter does what the adapter does`(name: String) throws {
    try withTemporaryDirectory { directory in
      let expected = try VectorModel("llama").model(try VectorModel("llama").adapter(name))
      for file in ["package", "package.flare"] {
        let package = try package(name, to: directory.appending(file))
        let base = try ModelFiles(Self.base)
        let adapter = try package.adapter(for: base.configuration().adapterBase, with: kernels)
        #expect(adapter.name == name)
        let model = try LanguageModel(
          base, adapters: [AdapterStack.Member(adapter)], with: kernels)
        #expect(try model.logitArray() == expected.logitArray())
        #expect(try mismatch(package, Self.base) == nil)
      }
      let files = ["package", "again"].map { directory.appending($0) }
      _ = try package(name, to: files[1])
      #expect(try files[0].tree == files[1].tree)
    }
  }

  @Test func `a package knows its base in any form, and no other model`() throws {
    try withTemporaryDirectory { directory in
      let package = try package("lora", to: directory.appending("lora.flare"))
      func convert(
        _ name: String, _ form: ConversionRequest.Form, adapters: [String] = [],
        quantization: QuantizationScheme? = nil, preset: GGUFPreset? = nil
      ) throws -> FilePath {
        let path = directory.appending(name)
        let model = try ModelFiles(Self.base)
        let request = ConversionRequest(
          model: model,
          adapters: try adapters.map {
            AdapterStack.Member(try Adapter(Self.base.appending($0), with: kernels))
          }, destination: path, form: form, quantization: quantization, preset: preset)
        try Conversion(request, with: kernels).run()
        return path
      }
      #expect(try mismatch(package, convert("q.gguf", .gguf, preset: .q80)) == nil)
      #expect(try mismatch(package, convert("f.gguf", .gguf)) == nil)
      #expect(try mismatch(package, convert("int4", .bundle, quantization: .int4)) == nil)
      let merged = try mismatch(package, convert("merged", .huggingFace, adapters: ["lora"]))
      #expect(merged?.contains("of its ") == true, "\(merged ?? "")")
      let other = try mismatch(package, Vectors.path("models/llama-biased"))
      #expect(other?.contains("was made for 'llama'") == true)
      #expect(other?.contains("it has ") == true, "\(other ?? "")")
    }
  }

  @Test func `a package is no model, and a model no package`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("lora.flare")
      _ = try package("lora", to: path)
      let error = #expect(throws: ModelError.self) { try ModelFiles(path) }
      #expect(error?.description.contains("is an adapter package, not a model") == true)
      let bundle = directory.appending("bundle")
      try Conversion(
        ConversionRequest(
          model: try ModelFiles(Self.base), destination: bundle, form: .bundle), with: kernels
      ).run()
      #expect(throws: ModelError.self) { try AdapterFiles(bundle) }
    }
  }

  private func bundle(_ path: FilePath, rules: [String] = []) throws {
    var request = ConversionRequest(
      model: try ModelFiles(Self.base),
      adapters: try [("lora", 0.5), ("flare-add_relu", 1)].map {
        AdapterStack.Member(
          try Adapter(Self.base.appending($0.0), with: kernels), weight: Float($0.1))
      }, destination: path, form: ConversionRequest.Form(destination: path), quantization: .int4)
    for rule in rules { try request.types.append(rule) }
    try Conversion(request, with: kernels).run()
  }

  @Test func `a bundle is made again from its recipe, wherever the inputs lie`() throws {
    try withTemporaryDirectory { directory in
      let original = directory.appending("original.flare")
      try bundle(original, rules: ["v_proj=int8"])
      let model = directory.appending("moved")
      try Self.base.copyFiles(to: model)
      let again = directory.appending("again.flare")
      let adapters = ["flare-add_relu", "lora"].map { Self.base.appending($0) }
      let reproduction = try Reproduction(
        original, model: try ModelFiles(model), adapters: adapters, to: again, with: kernels)
      #expect(try reproduction.run() == nil)
      #expect(try original.readBytes() == again.readBytes())
    }
  }

  @Test func `inputs that are not those of a recipe are refused`() throws {
    try withTemporaryDirectory { directory in
      let original = directory.appending("original")
      try bundle(original)
      func reproduce(_ model: String, _ adapters: [String]) throws {
        _ = try Reproduction(
          original, model: try ModelFiles(Vectors.path("models/\(model)")),
          adapters: adapters.map { Self.base.appending($0) },
          to: directory.appending("again"), with: kernels)
      }
      let model = #expect(throws: ConversionError.self) {
        try reproduce("llama-biased", ["lora", "flare-add_relu"])
      }
      #expect(model?.description.contains("is not the model that went in") == true)
      let missing = #expect(throws: ConversionError.self) { try reproduce("llama", ["lora"]) }
      #expect(missing?.description.contains("'flare-add_relu'") == true)
      let other = #expect(throws: ConversionError.self) {
        try reproduce("llama", ["lora-2", "flare-add_relu"])
      }
      #expect(other?.description.contains("the adapter 'lora'") == true)
      let extra = #expect(throws: ConversionError.self) {
        try reproduce("llama", ["lora", "lora-2", "flare-add_relu"])
      }
      #expect(extra?.description.contains("is no part of the recipe") == true)
    }
  }

  @Test func `a base and a delta make the model that the delta was taken from`() throws {
    try withTemporaryDirectory { directory in
      let tuned = directory.appending("tuned")
      let adapters = ["lora", "resized"].map { Self.base.appending($0) }
      let base = try ModelFiles(Self.base)
      try Conversion(
        ConversionRequest(
          model: base,
          adapters: try adapters.map { AdapterStack.Member(try Adapter($0, with: kernels)) },
          destination: tuned, form: .huggingFace), with: kernels
      ).run()
      let packaging = try DeltaPackaging(ModelFiles(tuned), from: base, with: kernels)
      #expect(!packaging.changedNames.contains("model.norm.weight"))
      #expect(packaging.changedNames.contains("model.embed_tokens.weight"))
      for name in ["delta", "delta.flare"] {
        let delta = directory.appending(name)
        try packaging.run(to: delta, mayReplace: false, workerCount: 2)
        let made = try ModelFiles(delta: delta, on: base, with: kernels)
        #expect(
          try LanguageModel(made, with: kernels).logitArray()
            == LanguageModel(tuned, with: kernels).logitArray())
        // A bundle of it names the model that came out, not the one that the delta was put on.
        let bundle = directory.appending("bundle-\(name.count)")
        try Conversion(
          ConversionRequest(model: made, destination: bundle, form: .bundle), with: kernels
        ).run()
        #expect(
          try ModelFiles(bundle).statedFingerprints
            == [ModelIdentity(of: ModelFiles(tuned), with: kernels).fingerprint])
        // On another base it makes nothing.
        let error = #expect(throws: ModelError.self) {
          try ModelFiles(delta: delta, on: ModelFiles(tuned), with: kernels)
        }
        #expect(error?.description.contains("was taken from 'llama'") == true)
        #expect(throws: ModelError.self) { try ModelFiles(delta) }
      }
      #expect(throws: ConversionError.self) { try DeltaPackaging(base, from: base, with: kernels) }
    }
  }

  @Test func `a model card states base, adapters, options, licence and quality`() throws {
    var request = ConversionRequest(
      model: try ModelFiles(Self.base),
      adapters: [
        AdapterStack.Member(
          try Adapter(Self.base.appending("lora"), with: kernels), weight: 0.5)
      ], destination: "tuned", form: .huggingFace, elementType: .float16)
    request.merging.rounding = .twice
    var card = ModelCard(baseName: "me/llama", baseFingerprint: "abc", license: "MIT")
    card.quality = [("exact-match", "97.5 % of 400 questions")]
    let text = card.text(for: try Conversion(request, with: kernels))
    for part in [
      "license: \"MIT\"", "base_model: \"me/llama\"", "# tuned", "fingerprint `abc`",
      "- Adapter: `lora` (lora), ", "- rounding: `\"twice\"`", "- dtype: `\"F16\"`",
      "- weight of `lora`: 0.5", "- exact-match: 97.5 % of 400 questions",
    ] {
      #expect(text.contains(part), "\(part)")
    }
  }

  @Test func `a Modelfile names the weights and the tokens that end a text`() throws {
    let sample = Vectors.path("../../samples/llama/base")
    let text = try OllamaModelfile(
      weights: "llama.gguf", of: ModelFiles(sample), license: "MIT"
    ).text
    #expect(text.contains("FROM ./llama.gguf\n"))
    #expect(text.contains("PARAMETER stop \"<|end_of_text|>\""))
    #expect(text.hasSuffix("LICENSE \"\"\"MIT\"\"\"\n"))
  }
}
