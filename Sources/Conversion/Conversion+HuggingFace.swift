import Adapters
import Bundles
import Files
public import JSON
import Models
import SystemPackage
import Tensors
import WeightFiles

extension Conversion {
  /// Writes a Hugging Face directory: weights, `config.json`, the files that go with a model, and
  /// what the merge left to run time.
  func writeHuggingFace(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    let applied = appliedAdapters
    // Residues are bound to the weights that they run beside. Others need not be hashed.
    let recorded =
      applied.contains { $0.residue != nil }
      ? RecordedTensors(tensors, of: configuration, with: kernels) : nil
    let places = try writeWeights(to: output, of: recorded, progress)
    if weightFiles.count > 1 {
      let plan = SafetensorsCheckpointPlan(
        tensors.tensorInfos, maximumShardByteCount: request.output.maximumShardByteCount)
      try plan.writeIndex(into: output)
    }
    try output.write(configurationText, to: ModelFiles.configurationName)
    for companion in try request.model.companions() {
      switch companion.contents {
      case .file(let path): try output.copy(path)
      case .text(let text): try output.write(text, to: companion.name)
      }
    }
    for (name, text) in request.additionalFiles(self) { try output.write(text, to: name) }
    for case (let record, let residue?) in applied {
      let folder = FilePath(record.path ?? "")
      try residue.write { try output.newFile(folder.appending($0)) }
    }
    if !applied.isEmpty {
      let record = MergeRecord(
        applied.map(\.record), ledger: .array(ledgerJSON),
        weights: try recorded?.identity { try Self.file(among: places, with: $0) })
      try output.write(
        record.json.serialized(isIndented: true) + "\n", to: MergeRecord.fileName)
    }
  }

  /// The file that has a tensor which an earlier run wrote, so that it did not pass by in this one.
  private static func file(
    among places: [FilePath], with info: TensorInfo
  ) throws -> any TensorSource {
    for place in places {
      let file = try SafetensorsFile(place)
      if file.info(named: info.name) != nil { return file }
    }
    throw TensorSourceError("'\(info.name)' is in none of the files that were written")
  }

  /// The ledger with what the merge measured.
  public var ledgerJSON: [JSONValue] {
    mergePlan.ledger.map { $0.json(change: measurements.change(of: $0)) }
  }

  /// `config.json` of the destination: the source's, with what adapters or a new type of the weights
  /// change made true.
  var configurationText: String {
    guard case .object(var members) = request.model.configurationJSON else {
      return request.model.configurationJSON.serialized(isIndented: true) + "\n"
    }
    if let name = request.elementType?.torchName {
      for key in ["dtype", "torch_dtype"] where members[key] != nil {
        members[key] = .string(name)
      }
    }
    if mergePlan.untiesHead { members["tie_word_embeddings"] = false }
    if members["vocab_size"] != nil {
      members["vocab_size"] = .integer(configuration.vocabularySize)
    }
    return JSONValue.object(members).serialized(isIndented: true) + "\n"
  }
}

extension OutputDirectory {
  /// Makes a file of that name which holds `text`.
  fileprivate func write(_ text: String, to name: String) throws(FileError) {
    let file = try newFile(FilePath(name))
    try file.write(text)
    try file.commit()
  }

  /// Copies the file at `source` under its own name.
  fileprivate func copy(_ source: FilePath) throws(FileError) {
    guard let name = source.lastComponent else { preconditionFailure("Path without a name") }
    let original = try MappedFile(source)
    let file = try newFile(FilePath(root: nil, components: name))
    try file.write(original.bytes)
    try file.commit()
  }
}
