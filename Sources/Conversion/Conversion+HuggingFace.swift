import Adapters
import Files
import JSON
import Models
import SystemPackage
import Tensors
import WeightFiles

extension Conversion {
  /// Writes a Hugging Face directory: weights, `config.json`, the files that go with a model, and
  /// what the merge left to run time.
  func writeHuggingFace(_ progress: ByteProgress?) throws {
    let directory = try NewDirectory(request.destination, mayReplace: request.mayReplace)
    let target = directory.temporaryPath
    try SafetensorsCheckpointPlan(tensors.tensorInfos).write(
      tensors, into: target, progress: progress)
    try writeText(configurationText, to: target.appending(ModelFiles.configurationName))
    for companion in request.model.companions {
      try companion.copy(into: target)
    }
    if !mergePlan.ledger.isEmpty {
      let record = MergeRecord(mergePlan)
      for residue in record.residues {
        let folder = try directory.makeSubdirectory(FilePath(residue.path))
        try residue.adapter.write(into: folder)
      }
      try writeText(
        record.json.serialized(isIndented: true) + "\n", to: target.appending(MergeRecord.fileName))
    }
    try directory.commit()
  }

  /// `config.json` of the destination: the source's, with the type of the weights made true.
  var configurationText: String {
    var json = request.model.configurationJSON
    if let name = request.elementType?.torchName, case .object(var members) = json {
      for key in ["dtype", "torch_dtype"] where members[key] != nil {
        members[key] = .string(name)
      }
      json = .object(members)
    }
    return json.serialized(isIndented: true) + "\n"
  }
}

func writeText(_ text: String, to path: FilePath) throws(FileError) {
  let file = try NewFile(path)
  try file.write(text)
  try file.commit()
}

extension FilePath {
  /// Copies this file into `directory` under its own name.
  func copy(into directory: FilePath) throws(FileError) {
    guard let name = lastComponent else { preconditionFailure("Path without a name") }
    let source = try MappedFile(self)
    let file = try NewFile(directory.appending(name))
    try file.write(source.bytes)
    try file.commit()
  }
}
