import Files
import JSON
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

@testable import Models

/// GGUF files that are sound, but no model that this version runs as it was meant.
struct GGUFModelDefectTests {
  /// A Llama of one layer, 8 wide, with two heads of 4, whose tensors are all ones.
  struct File {
    var metadata: GGUFMetadata = [
      "general.architecture": .string("llama"),
      "llama.context_length": .uint32(32), "llama.embedding_length": .uint32(8),
      "llama.block_count": .uint32(1), "llama.feed_forward_length": .uint32(16),
      "llama.attention.head_count": .uint32(2),
      "llama.attention.layer_norm_rms_epsilon": .float32(1e-5),
    ]
    var shapes: [(name: String, shape: Shape)] = [
      ("token_embd.weight", [12, 8]), ("output_norm.weight", [8]),
      ("blk.0.attn_norm.weight", [8]), ("blk.0.attn_q.weight", [8, 8]),
      ("blk.0.attn_k.weight", [8, 8]), ("blk.0.attn_v.weight", [8, 8]),
      ("blk.0.attn_output.weight", [8, 8]), ("blk.0.ffn_norm.weight", [8]),
      ("blk.0.ffn_gate.weight", [16, 8]), ("blk.0.ffn_up.weight", [16, 8]),
      ("blk.0.ffn_down.weight", [8, 16]),
    ]
    var values: [String: [Float]] = [:]
    /// Tensors that are zeros of Q8_0.
    var blocks: Set<String> = []

    func write(to path: FilePath) throws {
      let table = TensorTable(
        shapes.map { name, shape in
          let ones = Array(repeating: Float(1), count: shape.elementCount)
          if blocks.contains(name) {
            return (name, Tensor(shape: shape, elementType: .blockQ80) { _ in })
          }
          return (name, Tensor(values[name] ?? ones, shape: shape))
        })
      try GGUFPlan(table.tensorInfos, metadata: metadata).write(table, to: path)
    }
  }

  private func open(_ file: File) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      _ = try LanguageModel(path, with: Kernels(threadCount: 1))
    }
  }

  @Test func `the file that the defects are made of is a model`() throws { try open(File()) }

  @Test func `heads that are given for each layer are taken when they agree`() throws {
    var file = File()
    file.metadata["llama.attention.head_count"] = .array(GGUFArray(.uint32, [.uint32(2)]))
    try open(file)
  }

  @Test func `a norm in blocks is refused by name`() throws {
    var file = File()
    file.metadata["llama.embedding_length"] = .uint32(32)
    file.metadata["llama.feed_forward_length"] = .uint32(32)
    file.shapes = file.shapes.map { ($0.name, Shape($0.shape.extents.map { $0 == 12 ? 12 : 32 })) }
    file.blocks = ["output_norm.weight"]
    let error = #expect(throws: ModelError.self) { try open(file) }
    #expect(
      error?.description.contains("'model.norm.weight' is a vector of type Q8_0, expected F32")
        == true, "\(String(describing: error))")
  }

  @Test func `without a pattern of its own Gemma's windows are on every layer for 0`() throws {
    try withTemporaryDirectory { directory in
      var file = File()
      file.metadata = GGUFMetadata()
      for (key, value) in File().metadata {
        file.metadata[key.replacing("llama.", with: "gemma3.")] = value
      }
      file.metadata["general.architecture"] = .string("gemma3")
      file.metadata["gemma3.attention.sliding_window"] = .uint32(4)
      file.metadata["gemma3.attention.sliding_window_pattern"] = .uint32(0)
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      let configuration = try ModelFiles(path).configuration()
      #expect(configuration.slidingWindows == [4])
      #expect(configuration.rope.theta == 10_000)
    }
  }

  @Test func `a SentencePiece vocabulary has its ids without keys for them`() throws {
    try withTemporaryDirectory { directory in
      var file = File()
      file.metadata["tokenizer.ggml.model"] = .string("llama")
      file.metadata["tokenizer.ggml.tokens"] = .array(GGUFArray((0..<12).map { "t\($0)" }))
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      let files = try ModelFiles(path)
      let configuration = try files.configuration()
      #expect(configuration.beginningOfTextToken == 1 && configuration.endOfTextTokens == [2])
      let tokens = try ChatTemplate.specialTokens(of: files)
      #expect(tokens["bos_token"] == "t1" && tokens["eos_token"] == "t2")
    }
  }

  @Test func `every end of a text is read`() throws {
    try withTemporaryDirectory { directory in
      var file = File()
      file.metadata["tokenizer.ggml.eos_token_id"] = .uint32(3)
      file.metadata["tokenizer.ggml.eot_token_id"] = .uint32(4)
      file.metadata["tokenizer.ggml.flare_end_token_ids"] = .array(
        GGUFArray(.uint32, [.uint32(4), .uint32(7)]))
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      #expect(try ModelFiles(path).configuration().endOfTextTokens == [3, 4, 7])
    }
  }

  @Test func `a factor without a type scales the rope linearly`() throws {
    try withTemporaryDirectory { directory in
      var file = File()
      file.metadata["llama.rope.scaling.factor"] = .float32(4)
      file.metadata["llama.attention.causal"] = .bool(true)
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      #expect(try ModelFiles(path).configuration().rope.scaling == .linear(factor: 4))
      file.shapes.append(("rope_freqs.weight", [2]))
      let error = #expect(throws: ModelError.self) { try open(file) }
      #expect(error?.description.contains("scale the rope both") == true)
    }
  }

  @Test func `a window in a Llama file is Mistral's, and zeros say nothing`() throws {
    try withTemporaryDirectory { directory in
      var file = File()
      file.metadata["llama.attention.sliding_window"] = .uint32(4)
      file.metadata["llama.expert_count"] = .uint32(0)
      file.metadata["llama.tensor_data_layout"] = .string("Meta AI original pth")
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      let configuration = try ModelFiles(path).configuration()
      #expect(configuration.architecture == .mistral)
      #expect(configuration.slidingWindows == [4])
    }
  }

  static let keyDefects: [(key: String, value: GGUFValue?, message: String)] = [
    ("general.architecture", .string("falcon"), "'general.architecture' is \"falcon\", which this"),
    ("general.architecture", nil, "'general.architecture' is missing"),
    ("general.type", .string("adapter"), "is an adapter, not a model. Give the base model"),
    ("general.type", .string("imatrix"), "'general.type' is \"imatrix\", expected a model"),
    ("llama.block_count", nil, "'llama.block_count' is missing"),
    ("llama.block_count", .uint32(0), "'llama.block_count' is 0, expected 1 to"),
    ("llama.block_count", .uint32(1 << 30), "'llama.block_count' is 1073741824, expected 1 to"),
    (
      "llama.embedding_length", .string("8"),
      "'llama.embedding_length' is \"8\", expected an integer"
    ),
    ("llama.attention.head_count", .uint32(0), "'llama.attention.head_count' is 0"),
    (
      "llama.attention.head_count", .array(GGUFArray(.uint32, [.uint32(2), .uint32(2)])),
      "'llama.attention.head_count' has 2 values that differ or are not one for each of 1 layers"
    ),
    (
      "llama.attention.head_count_kv", .uint32(3),
      "'blk.0.attn_k.weight' has 8 rows, which are not 3 heads"
    ),
    ("llama.attention.layer_norm_rms_epsilon", nil, "layer_norm_rms_epsilon' is missing"),
    (
      "llama.attention.value_length", .uint32(8),
      "'llama.attention.value_length' is 8, expected the"
    ),
    ("llama.rope.dimension_count", .uint32(2), "'llama.rope.dimension_count' is 2, expected the"),
    ("llama.rope.dimension_count", .uint32(0), "'llama.rope.dimension_count' is 0, expected the"),
    ("llama.rope.scaling.type", .string("longrope"), "'llama.rope.scaling.factor' is missing"),
    (
      "llama.rope.scaling.attn_factor", .float32(2),
      "'llama.rope.scaling.attn_factor' is 2.0, which"
    ),
    ("llama.rope.freq_base_swa", .float32(100), "'llama.rope.freq_base_swa' is 100.0 (f32), which"),
    ("llama.attn_logit_softcapping", .float32(50), "'llama.attn_logit_softcapping' is 50.0 (f32)"),
    (
      "llama.tensor_data_layout", .string("other"),
      "'llama.tensor_data_layout' is \"other\", expected"
    ),
    ("llama.attention.causal", .bool(false), "'llama.attention.causal' is false; only causal"),
    ("llama.vocab_size", .uint32(13), "'llama.vocab_size' is 13, but the embeddings have 12 rows"),
    (
      "llama.expert_count", .uint32(8),
      "'llama.expert_count' is 8 (u32), which this version does not"
    ),
    ("llama.attention.key_length", .uint32(5), "'head_dim' is 5, expected an even"),
  ]

  @Test(arguments: keyDefects.indices)
  func `metadata that say something else are refused by name`(index: Int) throws {
    let defect = Self.keyDefects[index]
    var file = File()
    file.metadata[defect.key] = defect.value
    let error = #expect(throws: (any Error).self) { try open(file) }
    let text = "\(String(describing: error))"
    #expect(text.contains(defect.message) && text.contains("m.gguf"), "\(text)")
  }

  @Test func `an unknown rope scaling is refused by name`() throws {
    var file = File()
    file.metadata["llama.rope.scaling.type"] = .string("longrope")
    file.metadata["llama.rope.scaling.factor"] = .float32(4)
    let error = #expect(throws: ModelError.self) { try open(file) }
    #expect(error?.description.contains("'rope_type' is \"longrope\"") == true)
  }

  static let tensorDefects: [(name: String, shape: Shape?, message: String)] = [
    ("blk.0.attn_q.weight", nil, "'model.layers.0.self_attn.q_proj.weight' not found"),
    ("blk.0.attn_qkv.weight", [24, 8], "tensor 'blk.0.attn_qkv.weight' has no place in 'llama'"),
    ("blk.1.ffn_up.weight", [16, 8], "'model.layers.1.mlp.up_proj.weight' has no place"),
    ("blk.0.attn_k.weight", [6, 8], "'blk.0.attn_k.weight' has 6 rows, which are not 2 heads"),
    ("blk.0.ffn_up.weight", [8, 8], "is [8, 8], the configuration needs [16, 8]"),
    ("token_embd.weight", nil, "has no 'token_embd.weight', so it is no model"),
    ("rope_freqs.weight", [3], "'rope_freqs.weight' is F32 [3], expected F32 [2]"),
  ]

  @Test(arguments: tensorDefects.indices)
  func `a tensor that is missing, odd or has no place is refused by name`(index: Int) throws {
    let defect = Self.tensorDefects[index]
    var file = File()
    file.shapes.removeAll { $0.name == defect.name }
    if let shape = defect.shape { file.shapes.append((defect.name, shape)) }
    let error = #expect(throws: (any Error).self) { try open(file) }
    let text = "\(String(describing: error))"
    #expect(text.contains(defect.message) && text.contains("m.gguf"), "\(text)")
  }

  @Test func `rope factors of ones are no scaling, and of an unknown rule are refused`() throws {
    var file = File()
    file.shapes.append(("rope_freqs.weight", [2]))
    try open(file)
    file.values["rope_freqs.weight"] = [2, 2]
    try open(file)
    file.values["rope_freqs.weight"] = [3, 2]
    let error = #expect(throws: ModelError.self) { try open(file) }
    #expect(error?.description.contains("'rope_freqs.weight' follows no rule") == true)
  }

  @Test func `rope factors give back the parameters they come from`() throws {
    let parameters: [(theta: Double, factor: Double, low: Double, high: Double, length: Double)] = [
      (500_000, 8, 1, 4, 8192), (500_000, 32, 1, 4, 8192), (10_000, 4, 1, 4, 64),
      (1_000_000, 16, 2, 3, 512), (10_000, 8, 1, 4, 2048), (10_000, 8, 1, 1.01, 100),
    ]
    for (theta, factor, low, high, length) in parameters {
      let factors = RopeFactors(
        theta: theta, headDimension: 64, factor: factor, lowFrequencyFactor: low,
        highFrequencyFactor: high, originalPositionCount: length)
      let found = try #require(try factors.parameters(theta: theta, subject: "m"))
      let rebuilt = RopeFactors(
        theta: theta, headDimension: 64, factor: found["factor"]?.number ?? 0,
        lowFrequencyFactor: found["low_freq_factor"]?.number ?? 0,
        highFrequencyFactor: found["high_freq_factor"]?.number ?? 0,
        originalPositionCount: found["original_max_position_embeddings"]?.number ?? 0)
      #expect(found["low_freq_factor"] == 1)
      if low == 1 {
        #expect(found["original_max_position_embeddings"]?.number == length || high != 4)
      }
      #expect(zip(rebuilt.values, factors.values).allSatisfy { abs($0 - $1) <= 1e-5 * $1 })
    }
  }
}
