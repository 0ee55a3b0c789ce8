public import JSON
public import Tensors

/// What a bundle says about itself: the contents of `manifest.json`.
///
/// The text depends on nothing but these values (there is no date in it), so the same inputs give
/// the same manifest, byte for byte. `formats/bundle.md` describes every field.
public struct BundleManifest: Sendable, Hashable {
  public static let fileName = "manifest.json"
  public static let formatName = "flare-bundle"

  /// The version of the format.
  ///
  /// A reader refuses a larger `major` and ignores fields it does not know, which a larger `minor`
  /// may bring.
  public struct Version: Sendable, Hashable, CustomStringConvertible {
    public static let current = Version(major: 2, minor: 0)

    public let major: Int
    public let minor: Int

    public var description: String { "\(major).\(minor)" }
  }

  /// What a bundle holds.
  public enum Kind: String, Sendable, CaseIterable {
    /// A model, ready to run.
    case model
    /// An adapter alone, bound to the identity of its base.
    case adapter
    /// Tensors that, put in the place of those of a base, make a model.
    case delta
  }

  /// A file and how to know that it is the right one.
  public struct File: Sendable, Hashable {
    /// Where the file is in the bundle, with `/` between folders.
    public let path: String
    public let byteCount: Int
    /// 64 hexadecimal digits in lower case.
    public let sha256: String

    public init(path: String, byteCount: Int, sha256: String) {
      self.path = path
      self.byteCount = byteCount
      self.sha256 = sha256
    }
  }

  public struct Quantization: Sendable, Hashable {
    /// How values were chosen, such as `nearest` or `search`.
    public let scheme: String
    /// The type of the quantized tensors.
    public let elementType: ElementType

    public init(scheme: String, elementType: ElementType) {
      self.scheme = scheme
      self.elementType = elementType
    }
  }

  /// The model that the bundle was made from, or is for.
  public struct Base: Sendable, Hashable {
    public let name: String
    /// The fingerprint of its logical tensors, 64 hexadecimal digits; nil when it had none because it
    /// was quantized.
    public let fingerprint: String?
    /// Its files of weights, by the names they had there, when there is no fingerprint.
    public let files: [File]

    public init(name: String, fingerprint: String? = nil, files: [File] = []) {
      self.name = name
      self.fingerprint = fingerprint
      self.files = files
    }
  }

  /// What a delta makes of its base.
  public struct Delta: Sendable, Hashable {
    /// The fingerprint of the model that comes out.
    public let fingerprint: String
    /// Tensors of the base that it has not.
    public let removedTensors: [String]

    public init(fingerprint: String, removedTensors: [String]) {
      self.fingerprint = fingerprint
      self.removedTensors = removedTensors
    }
  }

  /// An adapter that went into the weights, runs beside them, or both.
  public struct Adapter: Sendable, Hashable {
    public let name: String
    /// Such as `lora` or `flare`.
    public let kind: String
    /// The folder in the bundle with what has to run as an adapter; nil when all was merged.
    public let path: String?
    /// The modules whose weights already contain it.
    public let mergedModules: [String]

    public init(name: String, kind: String, path: String?, mergedModules: [String]) {
      self.name = name
      self.kind = kind
      self.path = path
      self.mergedModules = mergedModules
    }
  }

  public var version = Version.current
  public var kind: Kind
  public var architecture: String
  /// The program that wrote the bundle, with its version.
  public var createdBy: String
  /// Nil when the weights have the types of the base.
  public var quantization: Quantization?
  public var base: Base?
  /// In the order in which they apply.
  public var adapters: [Adapter]
  /// Present in a delta.
  public var delta: Delta?
  /// What was done to make the bundle, so that it can be done again; an object, or null.
  public var recipe: JSONValue
  /// An SPDX expression or the name of a licence.
  public var license: String?
  /// The tensors whose type safetensors does not know, by name.
  public internal(set) var packedTensors: [TensorInfo] = []
  /// The table by which parts of files are checked; nil in bundles that were written without one.
  public internal(set) var tree: Tree?
  /// Every file of the bundle but the manifest and its signatures, by path, the tree last.
  public internal(set) var files: [File] = []

  public init(
    kind: Kind = .model, architecture: String, createdBy: String, quantization: Quantization? = nil,
    base: Base? = nil, adapters: [Adapter] = [], delta: Delta? = nil, recipe: JSONValue = .null,
    license: String? = nil
  ) {
    self.kind = kind
    self.architecture = architecture
    self.createdBy = createdBy
    self.quantization = quantization
    self.base = base
    self.adapters = adapters
    self.delta = delta
    self.recipe = recipe
    self.license = license
  }

  /// The file that has to be there.
  var weightsFileName: String {
    kind == .adapter ? "adapter_model.safetensors" : BundleWriter.weightsFileName
  }
}
