import Adapters
import Files
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

struct GGUFAdapterReadingTests {
  static let llamaHeads = AttentionHeadCounts(query: 4, keyValue: 2)

  @Test func `an adapter that numpy permuted is the PEFT adapter it was made from`() throws {
    let kernels = try Kernels(threadCount: 1)
    let file = try GGUFAdapterFile(
      GGUFFile(Vectors.path("gguf/lora-llama.gguf")), with: kernels)
    #expect(file.architecture == .llama && file.alpha == 8 && file.baseName == nil)
    let original = try Adapter(Vectors.path("models/llama/lora"), with: kernels)
    let modules = try file.modules(Self.llamaHeads)
    #expect(modules.count == original.updates.count && modules.count == 21)
    for update in original.updates {
      let module = try #require(modules.first { $0.module == update.module })
      #expect(module.scaling == update.scaling)
      #expect(module.loraA.shape == update.loraA.shape)
      #expect(module.loraA.floatArray == update.loraA.floatArray)
      #expect(module.loraB.shape == update.loraB.shape)
      #expect(module.loraB.floatArray == update.loraB.floatArray)
    }
  }

  @Test func `other head counts give other updates of q and k`() throws {
    let file = try GGUFAdapterFile(
      GGUFFile(Vectors.path("gguf/lora-llama.gguf")), with: Kernels(threadCount: 1))
    let right = try file.modules(Self.llamaHeads)
    let wrong = try file.modules(AttentionHeadCounts(query: 2, keyValue: 4))
    for (a, b) in zip(right, wrong) {
      let isPermuted = a.module.hasSuffix("q_proj") || a.module.hasSuffix("k_proj")
      #expect((a.loraB.floatArray != b.loraB.floatArray) == isPermuted, "\(a.module)")
    }
  }

  @Test func `an update of the embedding is transposed back`() throws {
    let file = try GGUFAdapterFile(
      GGUFFile(Vectors.path("gguf/lora-embedding.gguf")), with: Kernels(threadCount: 1))
    #expect(file.architecture == .gemma2)
    #expect(file.taskName == "counting" && file.promptPrefix == "Count: ")
    let modules = try file.modules(Self.llamaHeads)
    #expect(modules.map(\.module) == ["model.embed_tokens"])
    #expect(modules[0].loraA.shape == [2, 5])
    #expect(modules[0].loraA.floatArray == (0..<10).map(Float.init))
    #expect(modules[0].loraB.shape == [3, 2])
    #expect(modules[0].loraB.floatArray == (0..<6).map(Float.init))
    #expect(modules[0].scaling == 1.5)
  }

  @Test func `a quantized update is what its blocks stand for`() throws {
    let file = try GGUFAdapterFile(
      GGUFFile(Vectors.path("gguf/lora-quantized.gguf")), with: Kernels(threadCount: 1))
    let module = try #require(try file.modules(Self.llamaHeads).first)
    #expect(module.loraA.shape == [32, 32] && module.loraB.shape == [64, 32])
    // Both go from -1 to 1 in even steps, and quants have 127 steps to the largest of 32.
    for half in [module.loraA, module.loraB] {
      let elements = half.floatArray, step = 2 / Float(elements.count - 1)
      for (i, element) in elements.enumerated() {
        #expect(abs(element - (-1 + Float(i) * step)) < 0.5 / 127 + 1e-3)
      }
      #expect(elements != (0..<elements.count).map { -1 + Float($0) * step })
    }
  }

  @Test func `only llama permutes rows`() throws {
    let q = GGUFAdapterBytes().renaming("attn_v", to: "attn_q")
    let b = q.tensors[1].1
    let heads = AttentionHeadCounts(query: 1, keyValue: 1)
    for name in ["qwen2", "qwen3", "gemma", "gemma2", "gemma3"] {
      let other = try q.setting("general.architecture", to: .string(name)).read()
      #expect(try other.modules(heads)[0].loraB.floatArray == b.floatArray)
    }
    #expect(try q.read().modules(heads)[0].loraB.floatArray == [1, 0, 1, 1, 0, 1, 2, 0])
  }

  @Test(
    arguments: [(nil, 1), (.float32(0), 1), (.float32(6), 3), (.float32(-1), -0.5)]
      as [(GGUFValue?, Float)])
  func `scaling is alpha by rank, or one without an alpha`(alpha: GGUFValue?, scaling: Float) throws
  {
    let file = try GGUFAdapterBytes().setting("adapter.lora.alpha", to: alpha).read()
    #expect(try file.modules(Self.llamaHeads)[0].scaling == scaling)
  }

  @Test func `an A of rank one that lost its outer axis is read as a matrix`() throws {
    let file = try GGUFAdapterBytes()
      .with("blk.0.attn_v.weight.lora_a", Tensor([1, 2, 3], shape: [3]))
      .with("blk.0.attn_v.weight.lora_b", Tensor([1, 2, 3, 4], shape: [4, 1])).read()
    let module = try file.modules(Self.llamaHeads)[0]
    #expect(module.loraA.shape == [1, 3] && module.loraA.floatArray == [1, 2, 3])
    #expect(module.scaling == 6)
  }

  @Test func `half precision becomes float32`() throws {
    let a = Tensor(bytes: [0, 60, 0, 64, 0, 56], shape: [1, 3], elementType: .float16)
    let b = Tensor(bytes: [128, 63, 0, 192], shape: [2, 1], elementType: .bfloat16)
    let file = try GGUFAdapterBytes()
      .with("blk.0.attn_v.weight.lora_a", a)
      .with("blk.0.attn_v.weight.lora_b", b).read()
    let module = try file.modules(Self.llamaHeads)[0]
    #expect(module.loraA.floatArray == [1, 2, 0.5] && module.loraB.floatArray == [1, -2])
  }

  @Test func `rows that are not as many heads are refused`() throws {
    let file = try GGUFAdapterBytes().renaming("attn_v", to: "attn_k").read()
    let error = #expect(throws: AdapterError.self) {
      try file.modules(AttentionHeadCounts(query: 1, keyValue: 4))
    }
    #expect(error?.code == .baseMismatch)
    #expect(
      error?.detail
        == "lora_b of 'model.layers.0.self_attn.k_proj' has 4 rows, which are not 4 heads of an even "
        + "number of rows")
  }
}
