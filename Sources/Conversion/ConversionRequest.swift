public import Adapters
import Files
public import Models
public import Quantization
public import SystemPackage
public import Tensors

/// What to make of a model, and where.
public struct ConversionRequest: Sendable {
  public enum Form: String, Sendable, CaseIterable {
    /// A Hugging Face directory.
    case huggingFace = "hf"
    /// A bundle directory.
    case bundle
    /// A bundle in one `.flare` file.
    case bundleFile = "flare"
    /// A GGUF file.
    case gguf
  }

  public let model: ModelFiles
  public let adapters: [AdapterStack.Member]
  public let destination: FilePath
  public let form: Form
  /// The type that weights are quantized to; nil leaves them as they are.
  public let quantization: QuantizationScheme?
  /// The types of a GGUF file's weights; nil leaves them as they are.
  public let preset: GGUFPreset?
  /// float32, float16 or bfloat16 for every float tensor; nil keeps each one's own.
  public let elementType: ElementType?
  /// Whether the result will never see a source text, so that FLARE's q and v merge as plain LoRA.
  public let isSourceFree: Bool
  public internal(set) var mayReplace: Bool
  /// How a merge is made; see `MergeOptions`.
  public var merging: MergeOptions
  /// What the destination calls the model; nil for the name of its path.
  public var modelName: String?
  /// What is said of the types of single tensors.
  public var types = TensorTypeRules()
  /// What a bundle directory is asked before it is done; the answers go into it.
  public var probes: [NumericProbes.Question] = []
  /// Files of text that a Hugging Face directory gets beside the model's, by name.
  public var additionalFiles: @Sendable (Conversion) -> [(name: String, text: String)] = { _ in [] }
  /// How the destination is written; see `OutputOptions`.
  public var output = OutputOptions()

  public init(
    model: ModelFiles, adapters: [AdapterStack.Member] = [], destination: FilePath, form: Form,
    quantization: QuantizationScheme? = nil, preset: GGUFPreset? = nil,
    elementType: ElementType? = nil,
    isSourceFree: Bool = false, mayReplace: Bool = false, merging: MergeOptions = MergeOptions()
  ) {
    self.model = model
    self.adapters = adapters
    self.destination = destination
    self.form = form
    self.quantization = quantization
    self.preset = preset
    self.elementType = elementType
    self.isSourceFree = isSourceFree
    self.mayReplace = mayReplace
    self.merging = merging
  }
}

/// How a destination is written.
public struct OutputOptions: Sendable {
  /// Whether an earlier run that did not finish is gone on with.
  public var resumes = false
  /// The most bytes of memory of its own that a conversion may take, in blocks; mapped files are not
  /// counted.
  public var memoryBudget = 400_000_000
  /// The most bytes of tensors in a file; nil for one file whatever its size.
  public var maximumShardByteCount: Int?
  /// Bytes of a file between two notes of how far it is, each of which a later run can go on from.
  package var checkpointByteCount = 32 << 20

  public init() {}
}

/// How adapters are merged.
public struct MergeOptions: Sendable {
  /// How often a merged weight is rounded.
  public var rounding = MergeRounding.once
  /// Whether a module may be there whose delta is zero.
  public var allowsZero = false
  /// Whether quantized tensors are merged into and quantized again.
  public var mergesIntoQuantized = false
  /// How adapters that were trained beside each other become one; nil to stack them in order.
  public var combination: CombinationMethod?
  /// How what is left of a FLARE adapter pairs source and target; nil for what the adapter says.
  public var sourceAlignment: SourceAlignment?

  public init() {}
}

extension ConversionRequest {
  /// What the destination calls the model.
  var name: String { modelName ?? model.name }
}

extension ConversionRequest.Form {
  /// The form that a destination's name asks for: one file for `name.flare` and `name.gguf`, else a
  /// bundle.
  public init(destination: FilePath) {
    self =
      if destination.hasExtension("flare") {
        .bundleFile
      } else if destination.hasExtension("gguf") {
        .gguf
      } else {
        .bundle
      }
  }

  /// Whether it is a directory that is written.
  var isDirectory: Bool { self == .huggingFace || self == .bundle }
}
