import SystemPackage

/// What a file that `torch.save` wrote says: which tensors there are and where their bytes lie.
///
/// When `init` returns, nothing about the file is in doubt except the values of the tensors.
struct PickledFileContents {
  /// In the order of the state dict.
  private(set) var entries: [PickledTensorEntry] = []
  let ignoredKeys: [String]

  /// Reads and checks the file whose bytes are `file`.
  ///
  /// - Parameter path: the file's name in messages.
  init(_ file: Span<UInt8>, path: FilePath) throws(WeightFileError) {
    let archive = try TorchArchive(file, path: path)
    let stateDict = try Self.stateDict(file.extracting(archive.pickle), path: path)
    for (name, tensor) in stateDict.tensors {
      entries.append(try PickledTensorEntry(tensor, named: name, in: archive, path: path))
    }
    ignoredKeys = stateDict.ignoredKeys
  }

  private static func stateDict(
    _ pickle: Span<UInt8>, path: FilePath
  ) throws(WeightFileError) -> PickledStateDict {
    func defect(_ defect: PickleDefect, _ place: String) -> WeightFileError {
      // What was wanted is said in so many words; for damage, the place helps more.
      let detail = defect.code == .forbidden ? defect.problem : "data.pkl \(defect.problem)\(place)"
      return WeightFileError(defect.code, path, detail)
    }
    var machine = PickleMachine()
    var cursor = PickleCursor(pickle)
    let value: PickleValue
    do {
      value = try machine.run(&cursor)
    } catch {
      throw defect(error, " at byte \(cursor.position)")
    }
    do {
      return try PickledStateDict(value, in: machine.heap)
    } catch {
      throw defect(error, "")
    }
  }
}
