import SystemPackage
import WeightFiles

extension ArchivedFiles {
  /// What of the bundle's files lies in a part of the tar stream, to be told when that is damaged.
  ///
  /// - Returns: nil when it is no file's contents.
  func damage(at range: Range<Int>) -> Damage? {
    for (file, entry) in zip(manifest.files, fileEntries) {
      let part = entry.contents.clamped(to: range)
      guard !part.isEmpty else { continue }
      let start = entry.contents.lowerBound
      let damage = Damage(
        file: file.path, bytes: part.lowerBound - start..<part.upperBound - start,
        places: tensorPlaces(of: file))
      return damage.isInHeader ? damage.withoutTensors : damage
    }
    return nil
  }

  /// Where `record`, which is not what the manifest lists, differs from what the tree lists.
  ///
  /// - Returns: nil when there is no tree, or it is damaged too.
  func damage(of record: FileRecord) -> Damage? {
    guard let tree = manifest.tree, record.file.path != tree.path,
      let file = manifest.files.first(where: { $0.path == record.file.path }),
      let expected = try? bytes(of: tree.path, in: manifest.treePlace(of: file.path))
    else { return nil }
    return Damage(
      of: file, tree, found: record.pieces, expected: expected, places: tensorPlaces(of: file))
  }

  /// What lies where in a file of tensors; nil for another, or when its header is damaged.
  private func tensorPlaces(of file: BundleManifest.File) -> TensorPlaces? {
    guard file.holdsTensors else { return nil }
    do {
      let place = path.pushing(FilePath(file.path))
      let prefix = try bytes(of: file.path, in: 0..<min(8, file.byteCount))
      let end = try TensorPlaces.headerEnd(
        unsafe prefix.span.bytes, byteCount: file.byteCount, path: place)
      let header = try bytes(of: file.path, in: 0..<end)
      return TensorPlaces(
        unsafe header.span.bytes, byteCount: file.byteCount, path: place)
    } catch {
      return nil
    }
  }
}
