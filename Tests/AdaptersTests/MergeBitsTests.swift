import Adapters
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Merges into BF16 weights against PEFT's, bit for bit.
struct MergeBitsTests {
  struct Case: CustomTestStringConvertible {
    let module: String
    let adapter: String
    let rounding: MergeRounding
    var isSafe = false
    var testDescription: String { "\(module) \(adapter) \(rounding)" }
  }

  static let cases =
    ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"].flatMap { module in
      [
        Case(module: module, adapter: "lora", rounding: .once),
        Case(module: module, adapter: "lora", rounding: .twice, isSafe: true),
        Case(module: module, adapter: "rslora-patterns", rounding: .once),
      ]
    } + [
      // PEFT always rounds the update of an embedding first.
      Case(module: "model.embed_tokens", adapter: "embedding", rounding: .twice)
    ]

  func merged(_ test: Case, _ rounding: MergeRounding) throws -> (actual: Tensor, expected: Tensor)
  {
    let kernels = try Kernels(threadCount: 2)
    let llama = Vectors.path("models/llama")
    let bits = try SafetensorsFile(llama.appending("merged-bits.safetensors"))
    let base = TensorTable([
      ("\(test.module).weight", try bits.tensor(named: "\(test.module).base"))
    ])
    let adapter = try Adapter(llama.appending(test.adapter), with: kernels)
    let plan = MergePlan(try AdapterStack([AdapterStack.Member(adapter)]))
    let actual = try MergedTensors(base, plan, with: kernels, rounding: rounding)
      .tensor(named: "\(test.module).weight")
    let key = "\(test.module).\(test.adapter)\(test.isSafe ? ".safe" : "")"
    return (actual, try bits.tensor(named: key))
  }

  @Test(arguments: cases)
  func `a merge has the bits of PEFT's`(test: Case) throws {
    let (actual, expected) = try merged(test, test.rounding)
    #expect(actual.elementType == .bfloat16)
    #expect(actual.hasSameBytes(as: expected))
    let other = try merged(test, test.rounding == .once ? .twice : .once).actual
    #expect(!other.hasSameBytes(as: expected), "one rounding and two are the same here")
  }

  @Test(arguments: ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"])
  func `a merge of DoRA differs from PEFT's by the last bit at most`(module: String) throws {
    let (actual, expected) = try merged(
      Case(module: module, adapter: "dora", rounding: .once), .once)
    // PyTorch's norm is a sum in another order, a unit of float32 away.
    let (ours, theirs) = (actual.byteArray, expected.byteArray)
    let differing = zip(ours, theirs).count { $0 != $1 }
    #expect(differing <= ours.count / 500, "\(differing) of \(ours.count) bytes")
  }

  struct Merge: CustomTestStringConvertible {
    var model = "llama"
    let adapters: [String]
    var weights: [Float] = [0.7, -0.4]
    var method: CombinationMethod?
    var testDescription: String { "\(model) \(adapters) \(method?.name ?? "in turn")" }
  }

  /// Every step that a merge can have.
  static let merges =
    [
      Merge(adapters: ["lora", "lora-2"]), Merge(model: "llama-biased", adapters: ["lora-bias"]),
      // DoRA takes no weight.
      Merge(adapters: ["dora"], weights: [1]), Merge(adapters: ["embedding-dora"], weights: [1]),
    ]
    + [
      CombinationMethod.linear, .ties(density: 0.4), .dareLinear(density: 0.4, seed: 7),
      .dareTies(density: 0.4, seed: 7),
    ].map { Merge(adapters: ["lora", "lora-2"], method: $0) }

  /// What a merge makes of each tensor, in float32 so that no last bit is rounded away.
  func result(of merge: Merge, with kernels: Kernels) throws -> [Tensor] {
    let path = Vectors.path("models/\(merge.model)")
    let base = try SafetensorsCheckpoint(path)
    let members = try zip(merge.adapters, merge.weights).map {
      AdapterStack.Member(try Adapter(path.appending($0), with: kernels), weight: $1)
    }
    let stack = try AdapterStack(members)
    let plan =
      try merge.method.map { MergePlan(try AdapterCombination(members, by: $0), fitted: stack) }
      ?? MergePlan(stack)
    let merged = MergedTensors(base, plan, with: kernels) { _ in .float32 }
    return try merged.tensorInfos.map { try merged.tensor(named: $0.name) }
  }

  @Test(arguments: merges)
  func `a merge has the same bytes on every instruction set and number of threads`(
    merge: Merge
  ) throws {
    let expected = try result(
      of: merge, with: try Kernels(threadCount: 1, instructionSet: .generic))
    for set in InstructionSet.allCases where set.isAvailable {
      for threadCount in 1...2 {
        let found = try result(
          of: merge, with: try Kernels(threadCount: threadCount, instructionSet: set))
        #expect(
          zip(found, expected).allSatisfy { $0.hasSameBytes(as: $1) },
          "\(set), \(threadCount) threads")
      }
    }
  }
}
