import Adapters
import Files
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// One GGUF adapter for each thing that must not be passed over.
struct GGUFAdapterHostileTests {
  static let files = GGUFAdapterBytes()
  static let a = "blk.0.attn_v.weight.lora_a"
  static let b = "blk.0.attn_v.weight.lora_b"
  static let norm = Tensor([1, 1, 1], shape: [3])

  static let keys: [(String, GGUFValue?, String)] = [
    (
      "general.architecture", .string("controlvector"),
      "is a control vector, which is not supported"
    ),
    (
      "general.architecture", .string("phi3"),
      "'general.architecture' is \"phi3\" and is not supported "
        + "(known: llama, qwen2, qwen3, gemma, gemma2, gemma3)"
    ),
    ("general.architecture", nil, "'general.architecture' is missing, expected a string"),
    (
      "general.type", .string("model"),
      "'general.type' is \"model\", expected \"adapter\"; is this an adapter?"
    ),
    ("general.type", nil, "'general.type' is missing, expected \"adapter\"; is this an adapter?"),
    (
      "adapter.type", .string("dora"),
      "'adapter.type' is \"dora\" and is not supported (known: lora)"
    ),
    ("adapter.type", nil, "'adapter.type' is missing, expected a string"),
    (
      "adapter.alora.invocation_tokens", .array(GGUFArray(.uint32, [.uint32(5), .uint32(6)])),
      "'adapter.alora.invocation_tokens' is 2 × u32 and is not supported; ignoring it could change "
        + "the numbers"
    ),
    (
      "adapter.lora.future", .bool(true),
      "'adapter.lora.future' is true and is not supported; ignoring it could change the numbers"
    ),
    (
      "adapter.lora.alpha", .uint32(16),
      "'adapter.lora.alpha' is 16 (u32), expected an f32 number"
    ),
    ("adapter.lora.alpha", .float32(.nan), "'adapter.lora.alpha' is nan, expected a finite number"),
    ("adapter.lora.task_name", .bool(true), "'adapter.lora.task_name' is true, expected a string"),
  ]

  @Test(arguments: keys)
  func `a key that changes what the adapter is is refused`(
    key: String, value: GGUFValue?, problem: String
  ) {
    expectRefusal(of: Self.files.setting(key, to: value), problem)
  }

  static let tensors: [(GGUFAdapterBytes, String)] = [
    (files.with(a, nil), "'blk.0.attn_v.weight' has lora_b but no lora_a"),
    (files.with(b, nil), "'blk.0.attn_v.weight' has lora_a but no lora_b"),
    (files.with(a, nil).with(b, nil), "holds no tensors"),
    (
      files.with("blk.0.attn_norm.weight", norm),
      "tensor 'blk.0.attn_norm.weight' replaces a norm and is not supported; ignoring it could "
        + "change the numbers"
    ),
    (
      files.with("output.weight", norm),
      "tensor 'output.weight' is no half of a pair and is not supported; ignoring it could change "
        + "the numbers"
    ),
    (
      files.renaming("attn_v", to: "attn_qkv"),
      "'blk.0.attn_qkv.weight' is no weight of llama that an update can adapt"
    ),
    (
      files.renaming("attn_v", to: "attn_norm"),
      "'blk.0.attn_norm.weight' is no weight of llama that an update can adapt"
    ),
    (
      files.renaming("attn_v.weight", to: "attn_v.bias"),
      "'blk.0.attn_v.bias' is no weight of llama that an update can adapt"
    ),
    (
      files.renaming("blk.0.attn_v", to: "output").setting(
        "general.architecture", to: .string("gemma2")),
      "'output.weight' is no weight of gemma2 that an update can adapt"
    ),
    (
      files.with(a, Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])),
      "lora_a of 'blk.0.attn_v.weight' is [3, 2] and lora_b is [4, 2], expected [r, in] and [out, r]"
    ),
    (
      files.with(a, Tensor([1, 2, 3, 4, 5, 6], shape: [1, 2, 3])),
      "lora_a of 'blk.0.attn_v.weight' is [1, 2, 3] and lora_b is [4, 2], expected [r, in] and "
        + "[out, r]"
    ),
    (
      files.renaming("blk.0.attn_v", to: "token_embd"),
      "lora_a of 'token_embd.weight' is [2, 3] and lora_b is [4, 2], expected [vocabulary, r] and "
        + "[out, r]"
    ),
    (
      files.with(b, Tensor([1, 0, 0, .infinity, 1, 1, 2, 0], shape: [4, 2])),
      "'blk.0.attn_v.weight.lora_b' holds inf at element 3"
    ),
    (
      files.with(b, Tensor(bytes: Array(0..<8), shape: [4, 2], elementType: .int8)),
      "'blk.0.attn_v.weight.lora_b' has type I8, expected F32, F16 or BF16"
    ),
    (
      files.with(b, Tensor([0, 0, 0, 0, 0, 0, 0, 0], shape: [4, 2])),
      "every update is zero: the adapter would change nothing. Is it trained?"
    ),
  ]

  @Test(arguments: tensors)
  func `a tensor that would be lost or misread is refused`(
    files: GGUFAdapterBytes, problem: String
  ) {
    expectRefusal(of: files, problem)
  }

  @Test func `no flipped byte brings the reader down`() throws {
    let kernels = try Kernels(threadCount: 1)
    let valid = try Vectors.path("gguf/lora-embedding.gguf").readBytes()
    try withTemporaryDirectory { directory in
      let path = directory.appending("adapter.gguf")
      var generator = SeededGenerator(seed: 13)
      var refused = 0
      for position in valid.indices {
        for _ in 0..<2 {
          var bytes = valid
          bytes[position] ^= UInt8.random(in: 1...255, using: &generator)
          try path.overwrite(bytes)
          guard let file = try? GGUFAdapterFile(GGUFFile(path), with: kernels),
            let modules = try? file.modules(AttentionHeadCounts(query: 3, keyValue: 1))
          else {
            refused += 1
            continue
          }
          for module in modules { #expect(module.loraA.shape[0] == module.loraB.shape[1]) }
        }
      }
      // What hits names, lengths and types is found; what hits values and padding is legal.
      #expect(refused > valid.count / 2 && refused < valid.count * 2)
    }
  }

  private func expectRefusal(
    of files: GGUFAdapterBytes, _ problem: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error =
      #expect(throws: (any Error).self, sourceLocation: sourceLocation) { try files.read() }
      as? any FlareError
    #expect(error?.kind == .badInput, sourceLocation: sourceLocation)
    // The path is that of a file that is gone by now.
    #expect(
      error?.description.split(separator: ": ", maxSplits: 1).last.map(String.init) == problem,
      sourceLocation: sourceLocation)
  }
}
