import Adapters
import JSON
import Kernels
import Tensors
import TestSupport
import Testing

struct AdapterStackTests {
  func stack(_ files: AdapterFiles...) throws -> AdapterStack {
    try AdapterStack(files.map { AdapterStack.Member(try $0.read()) })
  }

  @Test func `an adapter fits the base it was made for`() throws {
    #expect(throws: Never.self) {
      try stack(AdapterFiles()).fitted(to: AdapterFiles.base)
    }
  }

  @Test func `an adapter of another shape is refused`() throws {
    let base = TensorTable([
      ("\(AdapterFiles.module).weight", Tensor(Array(repeating: 1, count: 48), shape: [6, 8]))
    ])
    let error = #expect(throws: AdapterError.self) {
      try stack(AdapterFiles()).fitted(to: base)
    }
    #expect(error?.code == .baseMismatch)
    #expect(error?.detail.contains("as [6, 4], the base weight is [6, 8]") == true)
  }

  @Test func `an adapter with more layers than the base is refused`() throws {
    let base = TensorTable([("model.norm.weight", Tensor([1], shape: [1]))])
    let error = #expect(throws: AdapterError.self) {
      try stack(AdapterFiles()).fitted(to: base)
    }
    #expect(error?.detail.contains("which the base does not have") == true)
  }

  @Test func `an adapter with fewer layers than its targets is refused`() throws {
    let tensor = Tensor(Array(repeating: 1, count: 24), shape: [6, 4])
    let base = TensorTable([
      ("\(AdapterFiles.module).weight", tensor),
      ("model.layers.1.self_attn.q_proj.weight", tensor),
    ])
    let error = #expect(throws: AdapterError.self) {
      try stack(AdapterFiles()).fitted(to: base)
    }
    #expect(error?.detail.contains("no tensors for 'model.layers.1.self_attn.q_proj'") == true)
    let limited = AdapterFiles().setting("layers_to_transform", to: [0])
    #expect(throws: Never.self) {
      try stack(limited).fitted(to: base)
    }
  }

  @Test func `an adapter that resized the vocabulary and saved half of it is refused`() throws {
    let files = AdapterFiles()
    let base = TensorTable([
      ("\(AdapterFiles.module).weight", Tensor((0..<24).map { Float($0) }, shape: [6, 4])),
      ("model.embed_tokens.weight", Tensor((0..<12).map { Float($0) }, shape: [3, 4])),
      ("lm_head.weight", Tensor((0..<12).map { Float($0) }, shape: [3, 4])),
    ])
    let larger = (
      "base_model.model.model.embed_tokens.weight",
      Tensor((0..<16).map { Float($0) }, shape: [4, 4])
    )
    let resized = try stack(files.with(tensors: files.tensors + [larger]))
    let error = #expect(throws: AdapterError.self) { try resized.fitted(to: base) }
    #expect(error?.detail.contains("embeddings for 4 tokens and a head for 3") == true)
  }

  @Test func `a weight is no weight for whole tensors and for lengths`() throws {
    let files = AdapterFiles()
    let norm = ("base_model.model.model.norm.weight", Tensor([2, 2, 2, 2], shape: [4]))
    let saved = try files.setting("modules_to_save", to: ["norm"])
      .with(tensors: files.tensors + [norm]).read()
    let lengths = (
      "\(AdapterFiles.prefix).lora_magnitude_vector", Tensor([1, 2, 3, 4, 5, 6], shape: [6])
    )
    let dora = try files.setting("use_dora", to: true)
      .with(tensors: files.tensors + [lengths]).read()
    for adapter in [saved, dora] {
      func stack(_ weight: Float) throws -> AdapterStack {
        try AdapterStack([AdapterStack.Member(adapter, weight: weight)])
          .fitted(to: AdapterFiles.base)
      }
      #expect(throws: Never.self) { try stack(1) }
      #expect(throws: AdapterError.self) { try stack(0.5) }
    }
    let flare = try files.setting("fuse_config", to: ["fusion_fn": "add"]).read()
    let members = [flare, dora].map { AdapterStack.Member($0) }
    let error = #expect(throws: AdapterError.self) { try AdapterStack(members) }
    #expect(error?.detail.contains("uses DoRA behind the FLARE adapter") == true)
    #expect(throws: Never.self) { try AdapterStack(members.reversed()) }
  }

  @Test func `two FLARE adapters cannot run at once`() throws {
    let flare = AdapterFiles().setting("fuse_config", to: ["fusion_fn": "add"])
    let error = #expect(throws: AdapterError.self) { try stack(flare, flare) }
    #expect(error?.code == .stack)
  }

  @Test(arguments: [Float.nan, 0, .infinity])
  func `a weight that is no number or zero is refused`(weight: Float) throws {
    let adapter = try AdapterFiles().read()
    #expect(throws: AdapterError.self) {
      try AdapterStack([AdapterStack.Member(adapter, weight: weight)])
    }
  }
}

extension AdapterStack {
  /// The stack fitted to an untied base.
  @discardableResult
  func fitted(to base: TensorTable) throws -> AdapterStack {
    try fitted(to: base, isTied: false, with: Kernels(threadCount: 1))
  }
}
