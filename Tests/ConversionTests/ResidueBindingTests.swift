import Adapters
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a merge leaves beside its weights belongs to these weights.
struct ResidueBindingTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  private static let samples = Vectors.repository.appending("samples").appending("llama")

  /// Merges into a Hugging Face directory.
  private func merge(
    _ base: FilePath, _ adapters: [FilePath], to destination: FilePath,
    elementType: ElementType? = nil, shardByteCount: Int? = nil, memoryBudget: Int = 1 << 30
  ) throws {
    var request = ConversionRequest(
      model: try ModelFiles(base),
      adapters: try adapters.map { AdapterStack.Member(try Adapter($0, with: kernels)) },
      destination: destination, form: .huggingFace, elementType: elementType)
    request.output.maximumShardByteCount = shardByteCount
    request.output.memoryBudget = memoryBudget
    try Conversion(request, with: kernels).run()
  }

  private func identity(_ path: FilePath) throws -> ModelIdentity {
    try ModelIdentity(of: ModelFiles(path), with: kernels)
  }

  private func mismatch(_ path: FilePath) throws -> String? {
    let files = try ModelFiles(path)
    return try files.residueMismatch { try ModelIdentity(of: files, with: kernels) }
  }

  struct Case: CustomTestStringConvertible {
    let model: String
    var elementType: ElementType?
    var shardByteCount: Int?
    var testDescription: String { "\(model) \(elementType?.rawValue ?? "") \(shardByteCount ?? 0)" }
  }

  // With a tied head and without; numbers that BF16 holds and others; several files.
  static let cases = [
    Case(model: "llama"), Case(model: "llama", elementType: .bfloat16),
    Case(model: "llama", elementType: .float16, shardByteCount: 20_000), Case(model: "gemma2"),
  ]

  @Test(arguments: cases)
  func `the identity in the record is that of the weights that were written`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let base = Vectors.path("models/\(test.model)")
      let merged = directory.appending("merged")
      try merge(
        base, [base.appending("lora"), base.appending("flare-add")], to: merged,
        elementType: test.elementType, shardByteCount: test.shardByteCount)
      let record = try #require(try MergeRecord(of: merged))
      #expect(try record.weights == identity(merged))
      #expect(try record.weights != identity(base))
      #expect(try mismatch(merged) == nil)
      // What is merged once more has a record of its own.
      let again = directory.appending("again")
      try merge(merged, [base.appending("head")], to: again)
      let second = try #require(try MergeRecord(of: again))
      #expect(try second.weights == identity(again) && second.weights != record.weights)
    }
  }

  @Test(arguments: [1 << 17, 3 << 20])
  func `tensors of many pieces pass by in blocks of any size`(memoryBudget: Int) throws {
    try withTemporaryDirectory { directory in
      let merged = directory.appending("merged")
      let base = Self.samples.appending("base")
      let sizes = try ModelFiles(base).tensors.tensorInfos.map(\.shape.elementCount)
      try #require(sizes.contains { $0 > 1 << 16 }, "no tensor has several pieces")
      try merge(
        base, [Self.samples.appending("flare-add_relu")], to: merged, memoryBudget: memoryBudget)
      #expect(try MergeRecord(of: merged)?.weights == identity(merged))
    }
  }

  // The end is missing, the beginning, a piece between; all of it passed.
  @Test(arguments: [[0..<512], [512..<1232], [0..<512, 1024..<1232], [0..<512, 512..<1232]])
  func `a tensor of which not all rows passed in order is read where it went`(
    passing: [Range<Int>]
  ) throws {
    let files = try ModelFiles(Self.samples.appending("base"))
    let expected = try ModelIdentity(of: files, with: kernels)
    let recorded = RecordedTensors(
      files.tensors, of: try files.configuration(), with: kernels)
    let embeddings = "model.embed_tokens.weight"
    try #require(files.tensors.info(named: embeddings)?.shape == [1232, 128])
    _ = try recorded.rows(0..<1, of: "model.norm.weight")
    for rows in passing { _ = try recorded.rows(rows, of: embeddings) }
    var names: Set<String> = []
    let identity = try recorded.identity { info in
      names.insert(info.name)
      return files.tensors
    }
    #expect(identity == expected)
    #expect(!names.contains("model.norm.weight"))
    #expect(names.contains("model.layers.0.mlp.down_proj.weight"))
    #expect(names.contains(embeddings) != (passing == [0..<512, 512..<1232]))
  }

  @Test func `a merge that leaves nothing beside its weights records no identity`() throws {
    try withTemporaryDirectory { directory in
      let base = Vectors.path("models/llama")
      let merged = directory.appending("merged")
      try merge(base, [base.appending("lora")], to: merged)
      let record = try #require(try MergeRecord(of: merged))
      #expect(record.weights == nil && record.json["weights"] == nil)
    }
  }

  @Test func `other weights beside residues are told, and what does not say is not`() throws {
    try withTemporaryDirectory { directory in
      let base = Vectors.path("models/llama")
      let (merged, other) = (directory.appending("merged"), directory.appending("other"))
      try merge(base, [base.appending("flare-add")], to: merged)
      try merge(base, [base.appending("saved-norm"), base.appending("flare-add")], to: other)
      let weights = "model.safetensors"
      try merged.appending(weights).overwrite(other.appending(weights).readBytes())
      let said = try #require(try mismatch(merged))
      #expect(said.hasPrefix("\(merged)/flare.json: its adapters run beside the weights that"))
      #expect(said.contains("tensors have other values, such as 'model."), "\(said)")
      // The record of an older program.
      let path = merged.appending("flare.json")
      var document = try #require(try JSONValue(contentsOf: path).object)
      let identity = document["weights"]
      document["weights"] = nil
      try path.overwrite(JSONValue.object(document).serialized())
      #expect(try mismatch(merged) == nil)
      #expect(try MergeRecord(of: merged)?.adapters.count == 1)
      // An identity that was edited is none.
      let text = try #require(identity).serialized().replacing("[64]", with: "[65]")
      document["weights"] = try JSONValue(parsing: text)
      try path.overwrite(JSONValue.object(document).serialized())
      let error = #expect(throws: ModelError.self) { try ModelFiles(merged) }
      #expect(error?.description.hasPrefix("\(path): 'weights': its fingerprint is ") == true)
    }
  }
}
