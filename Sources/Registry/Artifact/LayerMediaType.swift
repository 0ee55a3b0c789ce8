/// What a file is in a model, by the ModelPack specification.
public enum LayerKind: String, Sendable, Hashable, CaseIterable {
  case weight = "weight"
  /// What belongs to the weights: configuration, tokenizer, chat template.
  case weightConfiguration = "weight.config"
  /// For people: a model card, a licence.
  case documentation = "doc"
  case code = "code"
  case dataset = "dataset"
}

/// The media type of a layer: what its file is, and how it is packed.
///
/// The specification knows a file as it is (`.raw`) and tar archives, bare or compressed; it has no
/// compressed form of a single file. Flare writes `.raw`, whose digest is the SHA-256 of its file, and
/// `.tar+zstd` of one file; it reads `.tar` as well.
struct LayerMediaType: Sendable, Hashable {
  enum Packing: String, Sendable, Hashable, CaseIterable {
    case raw = "raw"
    case tar = "tar"
    case tarGzip = "tar+gzip"
    case tarZstd = "tar+zstd"
  }

  let kind: LayerKind
  let packing: Packing

  init(_ kind: LayerKind, _ packing: Packing = .raw) {
    self.kind = kind
    self.packing = packing
  }

  /// Nil when `text` is no media type of a ModelPack layer.
  init?(_ text: String) {
    for kind in LayerKind.allCases {
      for packing in Packing.allCases
      where ModelPack.current(text) == LayerMediaType(kind, packing).description {
        self.init(kind, packing)
        return
      }
    }
    return nil
  }
}

extension LayerMediaType: CustomStringConvertible {
  var description: String {
    "application/vnd.cncf.model.\(kind.rawValue).v1.\(packing.rawValue)"
  }
}
