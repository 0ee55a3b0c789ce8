import Adapters
import Files
import JSON
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing

struct MergeTests {
  static let weightName = "\(AdapterFiles.module).weight"

  func plan(_ files: AdapterFiles, isSourceFree: Bool = false) throws -> MergePlan {
    MergePlan(
      try AdapterStack([AdapterStack.Member(try files.read())]), isSourceFree: isSourceFree)
  }

  func flare(_ fusion: String) -> AdapterFiles {
    AdapterFiles().setting("fuse_config", to: ["fusion_fn": .string(fusion)])
  }

  @Test func `a merged weight is the base plus the scaled product, by hand`() throws {
    let merged = MergedTensors(
      AdapterFiles.base, try plan(AdapterFiles()), with: try Kernels(threadCount: 1))
    // Row 0 of B is [1, 0], so its delta is 2 · [1, 2, 3, 4]; row 2 is [1, 1], so 2 · [6, 8, 10, 12].
    let weight = try merged.tensor(named: Self.weightName).floatArray
    #expect(Array(weight[0..<4]) == [2, 5, 8, 11])
    #expect(Array(weight[8..<12]) == [20, 25, 30, 35])
  }

  @Test func `the weight of an adapter scales its delta`() throws {
    let stack = try AdapterStack([
      AdapterStack.Member(try AdapterFiles().read(), weight: 0.5)
    ])
    let merged = MergedTensors(
      AdapterFiles.base, MergePlan(stack), with: try Kernels(threadCount: 1))
    #expect(try merged.tensor(named: Self.weightName).floatArray[1] == 1 + 2)
  }

  @Test func `two adapters add up, and a third with the opposite weight takes one out`() throws {
    let adapter = try AdapterFiles().read()
    let members = [1, 1, -1].map { AdapterStack.Member(adapter, weight: $0) }
    let kernels = try Kernels(threadCount: 1)
    let once = MergedTensors(
      AdapterFiles.base, MergePlan(try AdapterStack([members[0]])), with: kernels)
    let thrice = MergedTensors(
      AdapterFiles.base, MergePlan(try AdapterStack(members)), with: kernels)
    #expect(
      try thrice.tensor(named: Self.weightName).floatArray
        == once.tensor(named: Self.weightName).floatArray)
  }

  @Test func `other tensors pass through untouched`() throws {
    let merged = MergedTensors(
      AdapterFiles.base, try plan(AdapterFiles()), with: try Kernels(threadCount: 1))
    #expect(
      try merged.tensor(named: "model.norm.weight").hasSameBytes(
        as: AdapterFiles.base.tensor(named: "model.norm.weight")))
  }

  @Test func `a delta that bfloat16 swallows is an error, not a silent nothing`() throws {
    let tiny = AdapterFiles().setting("lora_alpha", to: 1e-6)
    let large = Tensor(Array(repeating: 1000, count: 24), shape: [6, 4])
    let base = TensorTable([(Self.weightName, large)])
    let kernels = try Kernels(threadCount: 1)
    let rounded = MergedTensors(
      MergedTensors(base, MergePlan(.empty), with: kernels) { _ in .bfloat16 },
      try plan(tiny), with: kernels)
    let error = #expect(throws: TensorSourceError.self) {
      try rounded.tensor(named: Self.weightName)
    }
    #expect(error?.description.contains("does not change") == true)
  }

  @Test func `a value that float16 cannot hold is an error`() throws {
    let base = TensorTable(["model.norm.weight": Tensor([1, 70_000], shape: [2])])
    let kernels = try Kernels(threadCount: 1)
    let halves = MergedTensors(base, MergePlan(.empty), with: kernels) { _ in .float16 }
    let error = #expect(throws: TensorSourceError.self) {
      try halves.tensor(named: "model.norm.weight")
    }
    #expect(error?.description.contains("F16 cannot hold") == true)
    let wide = MergedTensors(base, MergePlan(.empty), with: kernels) { _ in .bfloat16 }
    #expect(throws: Never.self) { try wide.tensor(named: "model.norm.weight") }
  }

  @Test func `a merge that overflows is an error`() throws {
    let stack = try AdapterStack([
      AdapterStack.Member(try AdapterFiles().read(), weight: 3e38)
    ])
    let merged = MergedTensors(
      AdapterFiles.base, MergePlan(stack), with: try Kernels(threadCount: 1))
    #expect(throws: TensorSourceError.self) { try merged.tensor(named: Self.weightName) }
  }

  @Test func `the ledger has every module once, with what became of it`() throws {
    #expect(try plan(AdapterFiles()).ledger.map(\.disposition) == [.mergedExactly])
    #expect(try plan(flare("add")).ledger.map(\.disposition) == [.mergedTargetHalf])
    #expect(try plan(flare("add_relu")).ledger.map(\.disposition) == [.keptAtRunTime])
    #expect(
      try plan(flare("add_relu"), isSourceFree: true).ledger.map(\.disposition) == [.mergedExactly])
  }

  @Test func `what is left of a FLARE adapter survives being written and read`() throws {
    let residue = try #require(try plan(flare("add")).parts[0].residue)
    let read = try withTemporaryDirectory { directory in
      try residue.write { try NewFile(directory.appending($0)) }
      return try Adapter(directory, with: Kernels(threadCount: 1))
    }
    #expect(read.isResidue)
    #expect(read.name == residue.name)
    #expect(read.fusion == .add)
    #expect(read.updates.map(\.scaling) == residue.updates.map(\.scaling))
    #expect(read.updates.map(\.isInWeights) == [true])
    #expect(read.updates[0].loraA.hasSameBytes(as: residue.updates[0].loraA))
  }

  @Test func `a residue is not merged twice`() throws {
    let residue = try #require(try plan(flare("add")).parts[0].residue)
    let again = MergePlan(try AdapterStack([AdapterStack.Member(residue)]))
    #expect(!again.changes(Self.weightName))
    #expect(again.ledger.map(\.disposition) == [.mergedBefore])
    #expect(again.parts[0].residue?.updates.map(\.isInWeights) == [true])
  }
}

struct UpdateTermTests {
  func update(fusion: FusionFunction?, isInWeights: Bool, actsOnSource: Bool) -> LowRankUpdate {
    LowRankUpdate(
      module: "m", loraA: Tensor([1], shape: [1, 1]), loraB: Tensor([1], shape: [1, 1]),
      scaling: 1, fusion: fusion, isInWeights: isInWeights, actsOnSource: actsOnSource)
  }

  @Test func `an unmerged plain update acts on the target, and on the source if it precedes FLARE`()
  {
    let task = update(fusion: nil, isInWeights: false, actsOnSource: true)
    #expect(task.term(in: .target) == .delta(sign: 1))
    #expect(task.term(in: .source) == .delta(sign: 1))
    let own = update(fusion: nil, isInWeights: false, actsOnSource: false)
    #expect(own.term(in: .withoutSource) == .delta(sign: 1))
    #expect(own.term(in: .source) == nil)
  }

  @Test func `a merged update is taken out of the pass over the source only`() {
    let merged = update(fusion: nil, isInWeights: true, actsOnSource: false)
    #expect(merged.term(in: .target) == nil)
    #expect(merged.term(in: .withoutSource) == nil)
    #expect(merged.term(in: .source) == .delta(sign: -1))
  }

  @Test func `a fused update needs the source, and merged leaves its source half`() {
    let fused = update(fusion: .addRelu, isInWeights: false, actsOnSource: false)
    #expect(fused.term(in: .target) == .fused(.addRelu))
    #expect(fused.term(in: .withoutSource) == .delta(sign: 1))
    #expect(fused.term(in: .source) == nil)
    let half = update(fusion: .add, isInWeights: true, actsOnSource: false)
    #expect(half.term(in: .target) == .sourceHalf)
  }
}
