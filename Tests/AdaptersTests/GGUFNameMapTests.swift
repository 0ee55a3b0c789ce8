import Testing

@testable import Adapters

struct GGUFNameMapTests {
  static let pairs: [(GGUFArchitecture, String, String)] = [
    (.llama, "model.embed_tokens.weight", "token_embd.weight"),
    (.llama, "lm_head.weight", "output.weight"),
    (.llama, "model.norm.weight", "output_norm.weight"),
    (.llama, "model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight"),
    (.llama, "model.layers.12.self_attn.k_proj.bias", "blk.12.attn_k.bias"),
    (.llama, "model.layers.3.self_attn.v_proj.weight", "blk.3.attn_v.weight"),
    (.llama, "model.layers.3.self_attn.o_proj.weight", "blk.3.attn_output.weight"),
    (.llama, "model.layers.3.mlp.gate_proj.weight", "blk.3.ffn_gate.weight"),
    (.llama, "model.layers.3.mlp.up_proj.weight", "blk.3.ffn_up.weight"),
    (.llama, "model.layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight"),
    (.llama, "model.layers.3.input_layernorm.weight", "blk.3.attn_norm.weight"),
    (.llama, "model.layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight"),
    (.gemma, "model.layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight"),
    (.gemma2, "model.layers.3.post_attention_layernorm.weight", "blk.3.post_attention_norm.weight"),
    (.gemma2, "model.layers.3.pre_feedforward_layernorm.weight", "blk.3.ffn_norm.weight"),
    (.gemma2, "model.layers.3.post_feedforward_layernorm.weight", "blk.3.post_ffw_norm.weight"),
    (.gemma3, "model.layers.3.self_attn.q_norm.weight", "blk.3.attn_q_norm.weight"),
    (.gemma3, "model.layers.3.self_attn.k_norm.weight", "blk.3.attn_k_norm.weight"),
    (.gemma3, "lm_head.weight", "output.weight"),
    (.qwen2, "lm_head.weight", "output.weight"),
    (.qwen2, "model.layers.3.self_attn.q_proj.bias", "blk.3.attn_q.bias"),
    (.qwen2, "model.layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight"),
    (.qwen3, "model.layers.3.self_attn.q_norm.weight", "blk.3.attn_q_norm.weight"),
    (.qwen3, "model.layers.3.self_attn.k_norm.weight", "blk.3.attn_k_norm.weight"),
  ]

  @Test(arguments: pairs)
  func `a tensor has one name on either side`(
    architecture: GGUFArchitecture, huggingFace: String, gguf: String
  ) {
    let names = GGUFNameMap(architecture)
    #expect(names.ggufTensor(huggingFace) == gguf)
    #expect(names.huggingFaceTensor(gguf) == huggingFace)
  }

  @Test(
    arguments: [
      // Gemma 2 has no head of its own in GGUF, Llama no norm after the MLP.
      (.gemma2, "lm_head.weight"), (.llama, "model.layers.0.post_feedforward_layernorm.weight"),
      (.llama, "model.layers.0.self_attn.q_norm.weight"),
      (.qwen2, "model.layers.0.self_attn.q_norm.weight"),
      (.llama, "model.layers.00.self_attn.q_proj.weight"),
      (.llama, "model.layers.+1.self_attn.q_proj.weight"),
      (.llama, "model.layers.-1.self_attn.q_proj.weight"),
      (.llama, "model.layers.N.self_attn.q_proj.weight"),
      (.llama, "model.layers.0.self_attn.q_proj"),
      (.llama, "model.layers.0.self_attn.q_proj.scale"),
      (.llama, "model.norm.bias"), (.llama, "model.embed_tokens.bias"),
      (.llama, "model.layers.0.1.self_attn.q_proj.weight"), (.llama, ".weight"), (.llama, ""),
    ] as [(GGUFArchitecture, String)])
  func `what is no tensor of the architecture has no name in GGUF`(
    architecture: GGUFArchitecture, name: String
  ) {
    #expect(GGUFNameMap(architecture).ggufTensor(name) == nil)
  }

  @Test func `a model type has the architecture that llama.cpp gives it`() {
    let pairs: [(String, GGUFArchitecture?)] = [
      ("llama", .llama), ("mistral", .llama), ("qwen2", .qwen2), ("qwen3", .qwen3),
      ("gemma", .gemma), ("gemma2", .gemma2), ("gemma3_text", .gemma3), ("phi3", nil),
    ]
    for (modelType, architecture) in pairs {
      #expect(GGUFArchitecture(modelType: modelType) == architecture)
    }
    // Only Llama's rows are rotary pairs there.
    #expect(GGUFArchitecture.allCases.filter(\.interleavesRotaryRows) == [.llama])
  }

  @Test func `no architecture uses a name for two modules`() {
    for architecture in GGUFArchitecture.allCases {
      let rows = GGUFModuleName.all.filter { $0.architectures.contains(architecture) }
      #expect(Set(rows.map(\.gguf)).count == rows.count)
      #expect(Set(rows.map(\.huggingFace)).count == rows.count)
    }
  }
}
