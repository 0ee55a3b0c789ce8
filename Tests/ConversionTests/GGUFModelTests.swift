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
  /// Models of `Tests/Vectors`, and of each GGUF tensor the hash of its values.
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

  /// Runs `body` with a copy of a model whose configuration GGUF can say.
  ///
  /// The vectors are odd on purpose where a wrong reading would show.
  private func withSayable(_ model: String, _ body: (FilePath, FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let original = Vectors.path(model), copy = directory.appending("model")
      for name in try original.entryNames
      where name.hasSuffix("safetensors") || name.hasSuffix("json") {
        try copy.appending(name).writeNew(original.appending(name).readBytes())
      }
      let path = copy.appending("config.json")
      var config = try #require(try JSONValue(contentsOf: path).object)
      if config["query_pre_attn_scalar"] != nil {
        config["query_pre_attn_scalar"] = config["head_dim"]
      }
      if config["model_type"] == "mistral" { config["sliding_window"] = .null }
      if config["model_type"] == "qwen2" { config["use_sliding_window"] = false }
      try path.overwrite(JSONValue.object(config).serialized())
      try body(copy, directory)
    }
  }

  @Test(arguments: models.map(\.name))
  func `every tensor has the name of the gguf package and the values of llama.cpp's converter`(
    model: String
  ) throws {
    var expected = try #require(Self.models.first { $0.name == model }).hashes
    try withSayable(model) { source, directory in
      let path = directory.appending("model.gguf")
      try convert(source, to: path)
      let file = try GGUFFile(path)
      for info in file.tensors where info.name != "rope_freqs.weight" {
        let tensor = try file.tensor(named: info.name)
        let values = kernels.tensor(kernels.floats(of: tensor), shape: tensor.shape, as: .float32)
        #expect(values.sha256 == expected.removeValue(forKey: info.name), "\(info.name)")
      }
      #expect(expected.isEmpty, "left out: \(expected.keys)")
    }
  }

  @Test(arguments: models.map(\.name))
  func `a GGUF file gives the logits of the checkpoint, and the checkpoint comes back bit for bit`(
    model: String
  ) throws {
    try withSayable(model) { source, directory in
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
      for path in [file, back] {
        let logits = try LanguageModel(path, with: kernels).logitArray()
        #expect(largestDifference(logits, expected) < 1e-4)
      }
    }
  }

  /// What GGUF, or llama.cpp behind it, has no word for.
  static let unsayable: [(model: String, key: String, value: JSONValue, message: String)] = [
    ("models/gemma2", "query_pre_attn_scalar", 40, "'query_pre_attn_scalar' 40.0 (it implies 24)"),
    (
      "architectures/mistral", "sliding_window", 16,
      "'sliding_window' is 16, which llama.cpp ignores"
    ),
    ("architectures/rope", "rope_scaling", ["rope_type": "dynamic", "factor": 2], "\"dynamic\""),
    ("models/gemma2", "final_logit_softcapping", .null, "that there is not a soft cap on logits"),
    ("models/llama", "hidden_act", "gelu", "the activation gelu"),
    (
      "architectures/rope", "rope_scaling",
      ["rope_type": "yarn", "factor": 2, "beta_fast": 16], "yarn's 'beta_fast' and 'beta_slow'"
    ),
  ]

  @Test(arguments: unsayable.indices)
  func `what GGUF cannot say is an error, and nothing is written`(index: Int) throws {
    let (model, key, value, message) = Self.unsayable[index]
    try withSayable(model) { source, directory in
      let path = source.appending("config.json")
      var config = try #require(try JSONValue(contentsOf: path).object)
      config["rope_parameters"] = key == "rope_scaling" ? .null : config["rope_parameters"]
      config[key] = value
      try path.overwrite(JSONValue.object(config).serialized())
      let error = #expect(throws: ConversionError.self) {
        try convert(source, to: directory.appending("model.gguf"))
      }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
      #expect(try directory.entryNames == ["model"])
    }
  }

  @Test func `a head of its own has no place in a Gemma 2 file`() throws {
    try withSayable("models/gemma2") { source, directory in
      try convert(
        source, adapters: [], to: directory.appending("tied.gguf"))
      let adapters = ["saved-head"].map { Vectors.path("models/gemma2").appending($0) }
      let files = try ModelFiles(source)
      let base = try files.configuration().adapterBase
      let request = ConversionRequest(
        model: files,
        adapters: try adapters.map {
          AdapterStack.Member(try Adapter($0, for: base, with: kernels))
        }, destination: directory.appending("untied.gguf"), form: .gguf)
      let error = #expect(throws: ConversionError.self) { try Conversion(request, with: kernels) }
      #expect(
        error?.description
          == "'lm_head.weight' has no place in a GGUF file of 'gemma2', and leaving it out would change "
          + "the model. Write a bundle or a Hugging Face directory")
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

  @Test func `a preset gives the types, and a bundle of the file the same logits`() throws {
    try withTemporaryDirectory { directory in
      let source = Vectors.path("models/llama")
      let file = directory.appending("q8_0.gguf"), bundle = directory.appending("bundle")
      try convert(source, to: file, preset: .q80)
      let checkpoint = try GGUFCheckpoint(file)
      #expect(checkpoint.metadata["general.file_type"] == .uint32(7))
      #expect(checkpoint.metadata["general.quantization_version"] == .uint32(2))
      for info in checkpoint.tensors {
        #expect(info.type.name == (info.shape.rank == 1 ? "F32" : "Q8_0"), "\(info.name)")
      }
      let exact = try LanguageModel(source, with: kernels).logitArray()
      let logits = try LanguageModel(file, with: kernels).logitArray()
      #expect(0.001..<2 ~= largestDifference(logits, exact))
      try convert(file, to: bundle, form: .bundle)
      #expect(try LanguageModel(bundle, with: kernels).logitArray() == logits)
    }
  }

  @Test func `a quantized file is not quantized again, nor written as a checkpoint`() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("q8_0.gguf")
      try convert(Vectors.path("models/llama"), to: file, preset: .q80)
      let again = #expect(throws: ConversionError.self) {
        try convert(file, to: directory.appending("q4.gguf"), preset: .q40)
      }
      #expect(again?.description.contains("is Q8_0 already; quantizing again") == true)
      let checkpoint = #expect(throws: ConversionError.self) {
        try convert(file, to: directory.appending("hf"), form: .huggingFace)
      }
      #expect(checkpoint?.description.contains("pass --dtype to write float") == true)
      #expect(try directory.entryNames == ["q8_0.gguf"])
    }
  }

  @Test func `a file of a preset keeps its bytes, under a name without an extension too`() throws {
    try withTemporaryDirectory { directory in
      let first = directory.appending("a.gguf"), second = directory.appending("b.gguf")
      try convert(Vectors.path("models/llama"), to: first, preset: .q4KM)
      try convert(first, to: second)
      #expect(try first.readBytes() == second.readBytes())
      let bare = directory.appending("blob")
      try bare.writeNew(first.readBytes())
      #expect(try ModelFiles(bare).form == .gguf)
      let third = directory.appending("c.GGUF")
      try convert(bare, to: third, form: ConversionRequest.Form(destination: third))
      #expect(try ModelFiles(third).form == .gguf)
    }
  }

  @Test func `a preset that does not fit says what it became`() throws {
    try withTemporaryDirectory { directory in
      let request = ConversionRequest(
        model: try ModelFiles(Vectors.path("models/llama")),
        destination: directory.appending("m.gguf"), form: .gguf, preset: .q4KM)
      #expect(
        try Conversion(request, with: kernels).notes == [
          "23 of 23 matrices have rows that are no multiple of 256, which Q4_K_M needs; they are Q5_0, "
            + "Q8_0, as llama.cpp makes them"
        ])
    }
  }

  @Test func `a norm too small to come back from 1 + w is kept, and checked`() throws {
    try withSayable("architectures/gemma") { source, directory in
      let norm = "model.norm.weight"
      let files = try ModelFiles(source)
      let tensors = try files.tensors.tensorInfos.map { info in
        let floats = kernels.floats(of: try files.tensors.tensor(named: info.name))
        let tensor = kernels.tensor(floats, shape: info.shape, as: .float32)
        return (info.name, info.name == norm ? tensor.scaled(by: 1.1e-9) : tensor)
      }
      let table = TensorTable(tensors)
      let small = try NewDirectory(directory.appending("small"))
      try SafetensorsCheckpointPlan(table.tensorInfos).write(table, into: small)
      try small.commit()
      let path = directory.appending("small")
      try path.appending("config.json").writeNew(source.appending("config.json").readBytes())

      let file = directory.appending("m.gguf")
      try convert(path, to: file)
      let back = try ModelFiles(file).tensors.tensor(named: norm)
      #expect(back.hasSameBytes(as: try table.tensor(named: norm)))

      let checkpoint = try GGUFCheckpoint(file)
      var metadata = checkpoint.metadata
      let ones = Array(repeating: GGUFValue.float32(1), count: back.shape[0])
      metadata["flare.exact.output_norm.weight"] = .array(GGUFArray(.float32, ones))
      let source = try GGUFTensorSource(GGUFFile(file))
      try GGUFPlan(source.tensorInfos, metadata: metadata).write(
        source, to: directory.appending("changed.gguf"))
      let error = #expect(throws: TensorSourceError.self) {
        try LanguageModel(directory.appending("changed.gguf"), with: kernels)
      }
      #expect(error?.description.contains("is not what 'output_norm.weight' was made of") == true)
    }
  }

  @Test func `layers of Gemma 3 that all see everything stay so`() throws {
    try withSayable("architectures/gemma3") { source, directory in
      let path = source.appending("config.json")
      var config = try #require(try JSONValue(contentsOf: path).object)
      let count = try #require(config["num_hidden_layers"]?.integer)
      config["layer_types"] = .array(Array(repeating: "full_attention", count: count))
      config["sliding_window_pattern"] = nil
      config["_sliding_window_pattern"] = nil
      try path.overwrite(JSONValue.object(config).serialized())
      let file = directory.appending("m.gguf")
      try convert(source, to: file)
      let expected = try LanguageModel(source, with: kernels).logitArray()
      let logits = try LanguageModel(file, with: kernels).logitArray()
      #expect(largestDifference(logits, expected) < 1e-4)
    }
  }

  @Test func `a vocabulary that an adapter makes larger takes its tokenizer along`() throws {
    try withTemporaryDirectory { directory in
      let source = Vectors.repository.appending("samples").pushing("llama/base")
      let file = directory.appending("m.gguf")
      try convert(source, to: file)
      let files = try ModelFiles(file)
      let rows = try files.configuration().vocabularySize
      let metadata = try files.ggufTokenizer(vocabularySize: rows + 2)
      let tokens = try #require(metadata["tokenizer.ggml.tokens"].flatMap([String].init(gguf:)))
      #expect(tokens.count == rows + 2 && tokens.last == "[PAD\(rows + 1)]")
      #expect(try files.ggufTokenizer(vocabularySize: rows)["tokenizer.ggml.tokens"] != nil)
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
