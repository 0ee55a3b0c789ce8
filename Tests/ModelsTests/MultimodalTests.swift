import Conversion
import JSON
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Models

/// Gemma 3 with eyes, of which Flare reads the text model.
struct MultimodalTests {
  func golden() throws -> GoldenModel { try ArchitectureTests.golden("gemma3-multimodal") }

  @Test func `what is for images is left out with a warning`() throws {
    let files = try golden().files()
    let warning = try #require(files.warnings.first)
    #expect(warning.contains("the text model is used and 34 tensors for images"), "\(warning)")
    #expect(files.tensors.tensorInfos.allSatisfy { !$0.name.contains("vision") })
    #expect(try ArchitectureTests.golden("gemma3").files().warnings.isEmpty)
  }

  /// The names of released files are those of the vector; transformers 5 has others while it runs.
  @Test(
    arguments: [
      ("language_model.model.norm.weight", "model.norm.weight"),
      ("language_model.lm_head.weight", "lm_head.weight"),
      ("model.language_model.norm.weight", "model.norm.weight"),
      ("lm_head.weight", "lm_head.weight"),
      ("vision_tower.head.probe", nil), ("model.vision_tower.head.probe", nil),
      ("multi_modal_projector.mm_input_projection_weight", nil),
      ("model.multi_modal_projector.mm_input_projection_weight", nil),
      ("audio_tower.head.probe", "audio_tower.head.probe"),
    ] as [(String, String?)])
  func `a tensor has the name of the text model in either spelling`(
    name: String, textName: String?
  ) throws {
    let tensors = TensorTable([(name, Tensor([1, 2], shape: [2]))])
    let text = try TextModel(of: Self.configuration(), tensors, subject: "config.json")
    #expect(text.tensors.tensorInfos.map(\.name) == (textName.map { [$0] } ?? []))
    #expect(text.warnings[0].contains("\(textName == nil ? 1 : 0) tensors for images"))
    if let textName { #expect(try text.tensors.tensor(named: textName).floatArray == [1, 2]) }
  }

  @Test func `two spellings of one tensor are refused`() {
    let tensor = Tensor([1, 2], shape: [2])
    let names = ["language_model.model.norm.weight", "model.language_model.norm.weight"]
    #expect(throws: ModelError.self) {
      try TextModel(
        of: Self.configuration(), TensorTable(names.map { ($0, tensor) }), subject: "config.json")
    }
  }

  @Test func `the tokens that end a text are those of the whole model`() throws {
    #expect(try golden().files().configuration().endOfTextTokens == [0, 62])
  }

  @Test func `it is converted to a text model that gives the same logits`() throws {
    try withTemporaryDirectory { directory in
      let golden = try golden(), destination = directory.appending("text")
      let conversion = try Conversion(
        ConversionRequest(
          model: golden.files(), destination: destination, form: .huggingFace,
          elementType: .float32),
        with: golden.kernels())
      try conversion.check()
      try conversion.run()
      let files = try ModelFiles(destination)
      #expect(files.configurationJSON["model_type"] == "gemma3_text")
      #expect(files.warnings.isEmpty)
      let logits = try LanguageModel(files, with: golden.kernels())
        .logitArray(of: golden.tokens("tokens"))
      expectClose(logits, try golden.logits("base"), within: GoldenLogitsTests.tolerance)
    }
  }

  /// `config.json` with changes to the whole and to the text part.
  static func configuration(
    _ changes: [String: JSONValue] = [:], text: [String: JSONValue] = [:]
  ) -> JSONValue {
    var members: JSONObject = [
      "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
      "vision_config": ["hidden_size": 8], "eos_token_id": [1, 106],
    ]
    var inner: JSONObject = [
      "hidden_size": 2560, "intermediate_size": 10_240, "model_type": "gemma3_text",
      "num_hidden_layers": 34, "rope_scaling": ["factor": 8.0, "rope_type": "linear"],
      "sliding_window": 1024,
    ]
    for (key, value) in text { inner[key] = value }
    members["text_config"] = .object(inner)
    for (key, value) in changes { members[key] = value }
    return .object(members)
  }

  @Test func `what the released 4B file leaves out is what transformers assumes`() throws {
    let gemma = try ModelConfiguration(huggingFace: Self.configuration())
    #expect(gemma.architecture == .gemma3)
    #expect(gemma.vocabularySize == 262_208 && gemma.headDimension == 256)
    #expect(gemma.attentionHeadCount == 8 && gemma.keyValueHeadCount == 4)
    #expect(gemma.maximumPositionCount == 131_072 && gemma.attentionScale == 1 / 16)
    #expect(gemma.rope.theta == 1_000_000 && gemma.rope.scaling == .linear(factor: 8))
    #expect(
      gemma.localRope?.theta == 10_000 && gemma.localRope?.scaling == RotaryEmbedding.Scaling.none)
    #expect(gemma.slidingWindows.prefix(7) == [1024, 1024, 1024, 1024, 1024, nil, 1024])
    #expect(gemma.tiesWordEmbeddings && gemma.attentionSoftCap == nil && gemma.finalSoftCap == nil)
    #expect(gemma.endOfTextTokens == [1, 106])
  }

  @Test func `a contradiction between the parts, or an unknown key of either, is refused`() throws {
    let refused: [([String: JSONValue], [String: JSONValue], String)] = [
      (
        ["tie_word_embeddings": false], ["tie_word_embeddings": true],
        "'tie_word_embeddings' is false"
      ),
      (["quantization_config": ["bits": 4]], [:], "'quantization_config' is"),
      ([:], ["quantization_config": ["bits": 4]], "'quantization_config' is"),
      (
        ["architectures": ["Gemma3ForSequenceClassification"]], [:],
        "Gemma3ForSequenceClassification"
      ),
      (["text_config": nil], [:], "'text_config' is missing"),
    ]
    for (changes, text, message) in refused {
      let error = #expect(throws: ModelError.self) {
        try ModelConfiguration(huggingFace: Self.configuration(changes, text: text))
      }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
    }
  }
}
