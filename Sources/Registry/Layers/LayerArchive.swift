import Archives
import Files
import SystemPackage

/// The blob of a layer that is an archive, `tar` bare or in zstd, of one file.
///
/// Its bytes are those that the manifest names, and may be anything for all that. It must hold the
/// file that the layer announces and nothing else but the folders on the way to it, so nothing in it
/// decides what is written where; and no more is decompressed than the file was said to have.
struct LayerArchive {
  let file: LayerFile
  /// Where the blob is, whose digest has been checked.
  let path: FilePath
  /// What errors are about.
  let subject: String

  init(_ file: LayerFile, at path: FilePath, from place: String) {
    self.file = file
    self.path = path
    subject = "\(place)@\(file.blob.digest), the archive of '\(file.path.inMessage)'"
  }

  /// Writes the file that the archive holds to `destination`, where it appears whole or not at all.
  ///
  /// - Returns: the digest and size of the file.
  /// - Throws: `RegistryError` when there is another file, more than one, none, or something that is
  ///   no archive; `FileError` when there is no space or it cannot be written.
  func unpack(
    to destination: FilePath
  ) throws -> (digest: ContentDigest, byteCount: Int) {
    do {
      let reader = TarReader(try source())
      var folderCount = 0
      let next = try reader.nextEntry { folder in
        folderCount += 1
        return isOnTheWay(folder) && folderCount <= file.path.utf8.count
      }
      guard let entry = next else { throw ArchiveDefect(problem: "holds no file") }
      try check(entry)
      try destination.removingLastComponent().checkSpace(for: entry.byteCount)
      let output = DigestedFile(try NewFile(destination, mayReplace: true))
      try reader.readContents(of: entry) { try output.write($0) }
      if let second = try reader.nextEntry() {
        throw ArchiveDefect(problem: "holds a second file, '\(second.name)'")
      }
      if let digest = file.digest, digest != output.digest {
        throw RegistryError(
          .digestMismatch, subject,
          "its file has the digest \(output.digest), the layer says "
            + "\(digest)")
      }
      try output.commit()
      return (output.digest, output.byteCount)
    } catch let defect as ArchiveDefect {
      throw RegistryError(.malformedArchive, subject, defect.problem.inMessage)
    }
  }

  private func source() throws(FileError) -> any ArchiveByteSource {
    let blob = try MappedFile(path)
    return file.packing == .tarZstd ? ZstdDecompressor(blob) : PlainByteSource(blob)
  }

  /// Whether the folder is one of those above the file.
  private func isOnTheWay(_ folder: String) -> Bool {
    guard folder.first != "/" else { return false }
    var name = folder.withoutCurrentFolder
    while name.last == "/" { name.removeLast() }
    return name.isEmpty || name == "." || file.path.utf8.starts(with: "\(name)/".utf8)
  }

  private func check(_ entry: TarHeader) throws(ArchiveDefect) {
    let name = entry.name.withoutCurrentFolder
    // `modctl` wrote the last component alone before it wrote the path.
    let last = file.path.split(separator: "/").last.map(String.init) ?? file.path
    guard [file.path, last].contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
      throw ArchiveDefect(problem: "holds '\(entry.name)' in its place")
    }
    guard file.byteCount == nil || file.byteCount == entry.byteCount else {
      throw ArchiveDefect(
        problem: "holds a file of \(entry.byteCount) bytes, the layer says \(file.byteCount ?? 0)")
    }
  }
}

extension String {
  /// A path without the `./` that tar programs write before it.
  fileprivate var withoutCurrentFolder: String { hasPrefix("./") ? String(dropFirst(2)) : self }
}
