import Adapters
import Bundles
import Files
import Models
import SystemPackage
import Tensors
import WeightFiles

/// The files of a bundle but for its manifest and its tree, with their sizes, before a tensor is computed.
struct BundleContents {
  struct Item {
    let path: String
    let contents: Contents
  }

  enum Contents {
    case bytes([UInt8])
    case file(MappedFile)
    case weights(TensorFileLayout)
  }

  /// By path.
  let items: [Item]
  /// The tensors of types that safetensors does not know.
  let packedTensors: [TensorInfo]
  /// Holds what is copied from there.
  private let staging: [TemporaryDirectory]

  init(of conversion: Conversion) throws {
    var items = conversion.weightFiles.map {
      Item(path: $0.name, contents: .weights($0.layout))
    }
    items.append(
      Item(
        path: ModelFiles.configurationName,
        contents: .bytes(Array(conversion.configurationText.utf8))))
    for companion in try conversion.request.model.companions() {
      let contents: Contents =
        switch companion.contents {
        case .file(let path): .file(try MappedFile(path))
        case .text(let text): .bytes(Array(text.utf8))
        }
      items.append(Item(path: companion.name, contents: contents))
    }
    var staging: [TemporaryDirectory] = []
    for case (let record, let residue?) in conversion.appliedAdapters {
      let directory = try TemporaryDirectory()
      staging.append(directory)
      try residue.write { try NewFile(directory.path.appending($0)) }
      for name in try directory.path.directoryEntries() {
        items.append(
          Item(
            path: "\(record.path ?? "")/\(name)",
            contents: .file(try MappedFile(directory.path.appending(name)))))
      }
    }
    self.items = items.sorted { BundleManifest.precedes($0.path, $1.path) }
    self.staging = staging
    packedTensors = conversion.weightFiles.flatMap(\.layout.tensors).filter(
      \.elementType.isQuantized)
  }
}

extension BundleContents.Item {
  /// What a manifest says of the file, with a hash of zeros, which takes as many bytes.
  var unhashedFile: BundleManifest.File {
    let byteCount =
      switch contents {
      case .bytes(let bytes): bytes.count
      case .file(let file): file.byteCount
      case .weights(let layout): layout.byteCount
      }
    return BundleManifest.File(unhashed: path, byteCount: byteCount)
  }
}
