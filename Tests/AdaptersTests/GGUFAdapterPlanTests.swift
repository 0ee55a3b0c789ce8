import Adapters
import Files
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

struct GGUFAdapterPlanTests {
  static let heads = AttentionHeadCounts(query: 4, keyValue: 2)

  private static func modules(of adapter: Adapter) -> [GGUFAdapterModule] {
    adapter.updates.map {
      GGUFAdapterModule(
        module: $0.module, loraA: $0.loraA, loraB: $0.loraB, scaling: $0.scaling)
    }
  }

  /// A module with in 2, out 4 and rank 1.
  private static func module(_ name: String, b: [Float] = [1, 2, 3, 4], scaling: Float = 2)
    -> GGUFAdapterModule
  {
    GGUFAdapterModule(
      module: name, loraA: Tensor([1, 2], shape: [1, 2]), loraB: Tensor(b, shape: [4, 1]),
      scaling: scaling)
  }

  @Test func `an adapter with one alpha has the tensors that numpy made of it`() throws {
    try withTemporaryDirectory { directory in
      let kernels = try Kernels(threadCount: 1)
      let original = try Adapter(Vectors.path("models/llama/lora"), with: kernels)
      let path = directory.appending("adapter.gguf")
      let plan = try GGUFAdapterPlan(
        Self.modules(of: original), of: .llama, heads: Self.heads, name: "lora", to: path,
        with: kernels)
      try plan.write()
      #expect(plan.alpha == 8 && path.fileByteCount == plan.file.byteCount)

      let written = try GGUFFile(path)
      let expected = try GGUFFile(Vectors.path("gguf/lora-llama.gguf"))
      #expect(Set(written.tensors) == Set(expected.tensors))
      for info in expected.tensors {
        let bytes = try written.tensor(named: info.name).byteArray
        #expect(try bytes == expected.tensor(named: info.name).byteArray, "\(info.name)")
      }
      #expect(
        written.metadata == [
          "general.architecture": .string("llama"), "general.type": .string("adapter"),
          "general.name": .string("lora"), "general.file_type": .uint32(0),
          "adapter.type": .string("lora"), "adapter.lora.alpha": .float32(8),
        ])
    }
  }

  @Test func `other scalings are folded into B`() throws {
    try withTemporaryDirectory { directory in
      let kernels = try Kernels(threadCount: 1)
      // rsLoRA with patterns of rank and alpha: no single alpha could say it.
      let original = try Adapter(Vectors.path("models/llama/rslora-patterns"), with: kernels)
      let path = directory.appending("adapter.gguf")
      try GGUFAdapterPlan(
        Self.modules(of: original), of: .llama, heads: Self.heads, to: path, with: kernels
      ).write()
      let read = try GGUFAdapterFile(GGUFFile(path), with: kernels)
      let modules = try read.modules(Self.heads)
      #expect(Set(modules.map(\.scaling)).count > 1)
      #expect(zip(modules, original.updates).contains { $0.scaling != $1.scaling })
      for (module, update) in zip(modules, original.updates) {
        #expect(module.module == update.module)
        #expect(module.loraA.floatArray == update.loraA.floatArray)
        // Two products and a quotient, each within half an ulp.
        let effective = module.loraB.floatArray.map { $0 * module.scaling }
        let expected = update.loraB.floatArray.map { $0 * update.scaling }
        for (a, b) in zip(effective, expected) { #expect(abs(a - b) <= 4 * b.ulp) }
      }
    }
  }

  @Test func `B is folded by hand: scaling 3 and rank 1 under an alpha of 2 is a factor of 1.5`()
    throws
  {
    try withTemporaryDirectory { directory in
      let kernels = try Kernels(threadCount: 1)
      let path = directory.appending("adapter.gguf")
      let modules = [
        Self.module("model.layers.0.self_attn.v_proj"),
        Self.module("model.layers.1.self_attn.q_proj", scaling: 3),
      ]
      try GGUFAdapterPlan(
        modules, of: .llama, heads: AttentionHeadCounts(query: 1, keyValue: 1), to: path,
        with: kernels
      ).write()
      let file = try GGUFFile(path)
      #expect(file.metadata["adapter.lora.alpha"] == .float32(2))
      #expect(try file.tensor(named: "blk.0.attn_v.weight.lora_b").floatArray == [1, 2, 3, 4])
      // Folded and in the order of pairs.
      #expect(try file.tensor(named: "blk.1.attn_q.weight.lora_b").floatArray == [1.5, 4.5, 3, 6])
      #expect(try file.tensor(named: "blk.1.attn_q.weight.lora_a").floatArray == [1, 2])
    }
  }

  @Test func `a first module of scaling zero does not become an alpha of zero`() throws {
    let plan = try GGUFAdapterPlan(
      [
        Self.module("model.layers.0.mlp.up_proj", scaling: 0),
        Self.module("model.layers.0.mlp.gate_proj", scaling: 5),
      ], of: .gemma2, heads: Self.heads, to: "adapter.gguf", with: Kernels(threadCount: 1))
    #expect(plan.alpha == 5)
  }

  @Test func `an update of the embedding survives there and back`() throws {
    try withTemporaryDirectory { directory in
      let kernels = try Kernels(threadCount: 1)
      let path = directory.appending("adapter.gguf")
      let a = Tensor((0..<10).map(Float.init), shape: [2, 5])
      let b = Tensor((0..<6).map(Float.init), shape: [3, 2])
      let module = GGUFAdapterModule(
        module: "model.embed_tokens", loraA: a, loraB: b, scaling: 1.5)
      try GGUFAdapterPlan(
        [module], of: .gemma2, heads: Self.heads, to: path, with: kernels
      ).write()
      #expect(try GGUFFile(path).info(named: "token_embd.weight.lora_a")?.shape == [5, 2])
      let read = try GGUFAdapterFile(GGUFFile(path), with: kernels).modules(Self.heads)[0]
      #expect(read.loraA.floatArray == a.floatArray && read.loraB.floatArray == b.floatArray)
    }
  }

  @Test func `F16 rounds and says so in the file type`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("adapter.gguf")
      try GGUFAdapterPlan(
        [Self.module("lm_head", b: [1, 0.1, 2, 3])], of: .llama, heads: Self.heads, as: .float16,
        to: path, with: Kernels(threadCount: 1)
      ).write()
      let file = try GGUFFile(path)
      #expect(file.metadata["general.file_type"] == .uint32(1))
      let b = try file.tensor(named: "output.weight.lora_b")
      // 0.1 is 0x2E66 in half precision.
      #expect(b.elementType == .float16 && b.byteArray == [0, 60, 0x66, 0x2E, 0, 64, 0, 66])
    }
  }

  static let refused: [([GGUFAdapterModule], GGUFArchitecture, AdapterError.Code, String)] = [
    ([], .llama, .tensors, "would hold no tensors"),
    (
      [module("lm_head", scaling: 0), module("model.embed_tokens", b: [0, 0, 0, 0])], .llama,
      .tensors, "would hold only updates that are zero"
    ),
    (
      [module("model.layers.0.mlp.experts.0.up_proj")], .llama, .unsupported,
      "'model.layers.0.mlp.experts.0.up_proj' has no name in a GGUF adapter of llama"
    ),
    (
      [module("lm_head")], .gemma2, .unsupported,
      "'lm_head' has no name in a GGUF adapter of gemma2"
    ),
    (
      [module("model.norm")], .llama, .unsupported,
      "'model.norm' has no name in a GGUF adapter of llama"
    ),
    (
      [module("lm_head"), module("lm_head")], .llama, .tensors,
      "'lm_head' has two updates, a GGUF adapter can hold one"
    ),
    (
      [
        GGUFAdapterModule(
          module: "lm_head", loraA: Tensor([1, 2], shape: [2, 1]),
          loraB: Tensor([1], shape: [1, 1]),
          scaling: 1)
      ], .llama, .tensors,
      "lora_A of 'lm_head' is [2, 1] and lora_B is [1, 1], expected [r, in] and [out, r]"
    ),
    (
      [module("model.layers.0.self_attn.q_proj")], .llama, .baseMismatch,
      "lora_B of 'model.layers.0.self_attn.q_proj' has 4 rows, which are not 4 heads of an even "
        + "number of rows"
    ),
    (
      [module("lm_head", b: [1, 2, 70_000, 4])], .llama, .tensors,
      "lora_b of 'lm_head' holds inf at element 2, as F16. Write F32"
    ),
  ]

  @Test(arguments: refused)
  func `what the file could not say is refused`(
    modules: [GGUFAdapterModule], architecture: GGUFArchitecture, code: AdapterError.Code,
    detail: String
  ) {
    let error = #expect(throws: AdapterError.self) {
      try GGUFAdapterPlan(
        modules, of: architecture, heads: Self.heads, as: .float16, to: "out.gguf",
        with: Kernels(threadCount: 1))
    }
    #expect(error?.code == code)
    #expect(error?.description == "out.gguf: \(detail)")
  }
}
