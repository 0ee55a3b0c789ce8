import Adapters
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Combinations of two LoRAs against what PEFT's own functions make of the same deltas.
struct CombinationTests {
  static let modules = ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"]
  /// Those of `tools/adapter_vectors.py`.
  static let weights: [Float] = [0.7, -0.4]
  static let density = 0.4
  static let rank = 3

  let kernels: Kernels
  let base: SafetensorsCheckpoint
  let expected: SafetensorsFile
  let members: [AdapterStack.Member]

  init() throws {
    let kernels = try Kernels(threadCount: 2)
    self.kernels = kernels
    let llama = Vectors.path("models/llama")
    base = try SafetensorsCheckpoint(llama)
    expected = try SafetensorsFile(llama.appending("combination.safetensors"))
    members = try zip(["lora", "lora-2"], Self.weights).map {
      AdapterStack.Member(try Adapter(llama.appending($0), with: kernels), weight: $1)
    }
  }

  /// What the plan adds to the weight of `module`.
  func delta(_ plan: MergePlan, _ module: String) throws -> [Float] {
    let name = "\(module).weight"
    let before = try base.tensor(named: name).floatArray
    let merged = try MergedTensors(base, plan, with: kernels).tensor(named: name).floatArray
    return zip(merged, before).map { $0 - $1 }
  }

  func plan(_ members: [AdapterStack.Member], by method: CombinationMethod) throws -> MergePlan {
    MergePlan(try AdapterCombination(members, by: method), fitted: try AdapterStack(members))
  }

  func delta(_ method: CombinationMethod, _ module: String) throws -> [Float] {
    try delta(plan(members, by: method), module)
  }

  @Test(arguments: modules)
  func `a linear combination is the weighted sum`(module: String) throws {
    let sum = try expected.tensor(named: "\(module).sum").floatArray
    expectClose(try delta(.linear, module), sum, within: 1e-5)
    let adapter = try AdapterCombination(members, by: .linear).adapter(
      rank: nil, at: "sum", with: kernels)
    let stack = try AdapterStack([AdapterStack.Member(adapter)])
    expectClose(try delta(MergePlan(stack), module), sum, within: 1e-5)
  }

  @Test(arguments: modules)
  func `ties keeps the largest, elects signs and takes means as PEFT does`(module: String) throws {
    let ties = try expected.tensor(named: "\(module).ties.total").floatArray
    expectClose(try delta(.ties(density: Self.density), module), ties, within: 1e-5)
    let sum = try delta(.linear, module)
    #expect(try #require(zip(sum, ties).map { abs($0 - $1) }.max()) > 1e-2)
  }

  @Test(arguments: modules)
  func `a delta is cut to the singular values that PEFT keeps`(module: String) throws {
    for (method, key) in [
      (CombinationMethod.linear, "svd"), (.ties(density: Self.density), "ties-svd"),
    ] {
      let adapter = try AdapterCombination(members, by: method).adapter(
        rank: Self.rank, at: "cut", with: kernels)
      #expect(adapter.updates.allSatisfy { $0.rank == Self.rank })
      let stack = try AdapterStack([AdapterStack.Member(adapter)])
      let cut = try expected.tensor(named: "\(module).\(key).\(Self.rank)").floatArray
      expectClose(try delta(MergePlan(stack), module), cut, within: 1e-5)
    }
  }

  @Test func `a combination of unequal ranks is exact at the sum of the ranks`() throws {
    let module = Self.modules[0]
    let adapter = try AdapterCombination(members, by: .linear).adapter(
      rank: 6, at: "whole", with: kernels)
    let stack = try AdapterStack([AdapterStack.Member(adapter)])
    let sum = try expected.tensor(named: "\(module).sum").floatArray
    expectClose(try delta(MergePlan(stack), module), sum, within: 1e-5)
  }

  @Test func `dare keeps its share, divides by it, and is the same for the same seed`() throws {
    let module = Self.modules[0]
    let method = CombinationMethod.dareLinear(density: 0.3, seed: 7)
    let one = [members[0]]
    let whole = try delta(plan(one, by: .linear), module)
    let dropped = try delta(plan(one, by: method), module)
    let kept = dropped.indices.filter { dropped[$0] != 0 }
    let share = Double(kept.count) / Double(dropped.count)
    // Three standard deviations of 6144 draws are 0.018.
    #expect(abs(share - 0.3) < 0.02)
    for index in kept { #expect(abs(dropped[index] - whole[index] / 0.3) < 1e-4) }
    #expect(try delta(plan(one, by: method), module) == dropped)
    let other = CombinationMethod.dareLinear(density: 0.3, seed: 8)
    #expect(try delta(plan(one, by: other), module) != dropped)
    let all = CombinationMethod.dareLinear(density: 1, seed: 7)
    expectClose(
      try delta(all, module), try expected.tensor(named: "\(module).sum").floatArray, within: 1e-5)
  }

  @Test func `what is more than plain LoRA has no place in a combination`() throws {
    let llama = Vectors.path("models/llama")
    for name in ["dora", "flare-add", "saved-head"] {
      let adapter = try Adapter(llama.appending(name), with: kernels)
      let error = #expect(throws: AdapterError.self) {
        try AdapterCombination(members + [AdapterStack.Member(adapter)], by: .linear)
      }
      #expect(error?.detail.contains("no place in a combination") == true)
    }
    #expect(throws: AdapterError.self) {
      try AdapterCombination(members, by: .ties(density: 0.5)).adapter(
        rank: nil, at: "x", with: kernels)
    }
  }
}
