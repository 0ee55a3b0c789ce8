import SystemPackage

/// The parts of a file that `torch.save` wrote: a pickle, and the storages that it refers to.
///
/// All are entries of one zip archive, in a folder named after the file: `<name>/data.pkl` and
/// `<name>/data/<key>`.
struct TorchArchive {
  /// Bytes of the pickle.
  let pickle: Range<Int>
  private let archive: ZipArchive
  private let folder: String

  /// Reads and checks the directory of the archive whose bytes are `file`.
  ///
  /// - Throws: `WeightFileError` when it is malformed, or not what `torch.save` writes now.
  init(_ file: Span<UInt8>, path: FilePath) throws(WeightFileError) {
    try Self.refuseOtherForms(file, path: path)
    archive = try ZipArchive(file, path: path)
    let suffix = "/data.pkl"
    let candidates = archive.names.filter { $0.hasSuffix(suffix) }
    guard let name = candidates.first, candidates.count == 1, let pickle = archive[name] else {
      throw WeightFileError(
        .malformedArchive, path,
        "holds \(candidates.count) entries named 'data.pkl', expected one. "
          + "Is this a file that torch.save wrote?")
    }
    guard pickle.count <= PickleMachine.maximumByteCount else {
      throw WeightFileError(
        .malformedPickle, path,
        "data.pkl is \(pickle.count) bytes long, the limit is \(PickleMachine.maximumByteCount)")
    }
    self.pickle = pickle
    folder = String(name.dropLast(suffix.count))
    if let order = archive["\(folder)/byteorder"], file.text(in: order) != "little" {
      throw WeightFileError(
        .malformedArchive, path, "holds numbers in another byte order than this version reads")
    }
  }

  /// The bytes of the storage `key` in the file, or nil when there is none.
  func storage(_ key: String) -> Range<Int>? { archive["\(folder)/data/\(key)"] }

  /// Refuses, by what to do, what people also call `.bin` and `.pt`.
  private static func refuseOtherForms(
    _ file: Span<UInt8>, path: FilePath
  ) throws(WeightFileError) {
    let beginning = (0..<min(4, file.count)).map { file[$0] }
    if beginning.starts(with: [0x50, 0x4B]) { return }  // "PK"
    // Protocol 2, and a magic number as a long integer of 10 bytes.
    let isLegacy = beginning == [0x80, 0x02, 0x8A, 0x0A]
    throw WeightFileError(
      .malformedArchive, path,
      isLegacy
        ? "has the form that torch.save wrote before PyTorch 1.6. Load it there with "
          + "weights_only=True and save it again"
        : "is no zip archive, as torch.save writes them")
  }
}
