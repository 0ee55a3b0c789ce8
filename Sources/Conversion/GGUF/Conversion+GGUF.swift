import Adapters
import Bundles
import Files
import Models
import Quantization
import Tensors
import WeightFiles

extension Conversion {
  /// Writes a GGUF file, or the parts of one.
  func writeGGUF(to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?) throws {
    let base =
      request.model.isQuantized || request.model.statedFingerprints != nil
      ? nil
      : BackgroundResult { [request, kernels] in
        try IdentityCache().identity(of: request.model, with: kernels).fingerprint
      }
    for (number, file) in weightFiles.enumerated() {
      let namesBase = number == 0 && base != nil
      let place = try output.partialFile(
        file.name, checkpointByteCount: request.output.checkpointByteCount,
        firstHashedByte: namesBase ? file.layout.header.count : 0)
      try stream(to: output).write(file.layout, to: place, progress: progress)
      if namesBase, let base {
        let header = try file.ggufHeader(namingBase: try base.value())
        try place.rewrite(unsafe header.span.bytes, at: 0)
      }
      _ = try place.finish()
    }
  }

  /// What GGUF calls the architecture.
  ///
  /// - Throws: `ConversionError` when it has no name for it.
  static func ggufArchitecture(
    _ architecture: Architecture
  ) throws(ConversionError) -> GGUFArchitecture {
    guard let name = GGUFArchitecture(modelType: architecture.rawValue) else {
      throw ConversionError(
        .badInput, "Flare knows no GGUF form of \(architecture.displayName)")
    }
    return name
  }

  /// The metadata of the destination, in the order in which llama.cpp's converter has them.
  static func ggufMetadata(
    _ request: ConversionRequest, _ configuration: ModelConfiguration,
    _ tensors: GGUFDestinationTensors
  ) throws -> GGUFMetadata {
    var metadata = generalMetadata(request, tensors.architecture)
    for (key, value) in try GGUFModelMetadata(configuration, of: tensors.architecture).metadata() {
      metadata[key] = value
    }
    let fileType =
      request.preset.map(\.fileType) ?? keptFileType(request, tensors) ?? tensors.fileType
    metadata[GGUFModelKeys.fileType] = .uint32(fileType)
    for (key, value) in try request.model.ggufTokenizer(
      vocabularySize: configuration.vocabularySize)
    {
      metadata[key] = value
    }
    if tensors.tensorInfos.contains(where: \.elementType.isQuantized) {
      metadata[GGUFModelKeys.quantizationVersion] = .uint32(2)
    }
    if let base = request.model.statedFingerprints?.first {
      metadata[GGUFModelKeys.baseFingerprint] = .string(base)
    } else if !request.model.isQuantized {
      // Found out while the tensors are computed, and put here at the end.
      metadata[GGUFModelKeys.baseFingerprint] = .string(String(repeating: "0", count: 64))
    }
    for (name, values) in tensors.exactNorms {
      metadata[GGUFModelKeys.exactNorm(name)] = .array(
        GGUFArray(.float32, values.map { .float32($0) }))
    }
    return metadata
  }

  /// What a GGUF source says of its types, when the destination has the same.
  private static func keptFileType(
    _ request: ConversionRequest, _ tensors: GGUFDestinationTensors
  ) -> UInt32? {
    guard let source = request.model.gguf?.checkpoint,
      case .uint32(let fileType)? = source.metadata[GGUFModelKeys.fileType],
      source.tensors.count == tensors.tensorInfos.count,
      tensors.tensorInfos.allSatisfy({ source.info(named: $0.name)?.info == $0 })
    else { return nil }
    return fileType
  }

  /// What the file is and where it comes from.
  private static func generalMetadata(
    _ request: ConversionRequest, _ architecture: GGUFArchitecture
  ) -> GGUFMetadata {
    let source = request.model.gguf?.checkpoint.metadata ?? GGUFMetadata()
    var metadata: GGUFMetadata = [
      GGUFModelKeys.architecture: .string(architecture.rawValue),
      GGUFModelKeys.type: .string("model"),
      GGUFModelKeys.name: .string(request.name),
    ]
    let computed = [
      GGUFModelKeys.fileType, GGUFModelKeys.quantizationVersion, "general.alignment",
    ]
    for (key, value) in source where key.hasPrefix("general.") && !computed.contains(key) {
      metadata[key] = value
    }
    if let license = request.model.bundle?.manifest.license {
      metadata[GGUFModelKeys.license] = .string(license)
    }
    return metadata
  }
}
