import Adapters
import Files
import JSON
import Quantization
import SystemPackage
import Tensors

extension Conversion {
  /// Writes the destination.
  ///
  /// - Parameter progress: called as tensors are done.
  /// - Throws: a `FlareError`. When a device failed, what is done stays in a folder beside the
  ///   destination and a later run can go on with it; otherwise nothing is left behind.
  public func run(progress: ((ConversionStep) -> Void)? = nil) throws {
    let output = try PartialOutput(
      request.destination, outputForm, header: journalHeader,
      resumes: request.output.resumes, mayReplace: request.mayReplace)
    output.measurements.forEach(measurements.restore)
    do {
      if !output.isComplete { try write(to: output, progress) }
      try checkSources()
      try output.commit()
    } catch {
      throw failure(of: output, error)
    }
  }

  private func write(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    switch request.form {
    case .huggingFace: try writeHuggingFace(to: output, progress)
    case .bundle: try writeBundle(to: output, progress)
    case .bundleFile: try writeBundleFile(to: output, progress)
    case .gguf: try writeGGUF(to: output, progress)
    }
  }

  private var outputForm: PartialOutput.Form {
    switch request.form {
    case .huggingFace, .bundle: .directory
    case .bundleFile: .files([request.destination.lastComponent?.string ?? ""])
    case .gguf: .files(weightFiles.map(\.name))
    }
  }

  /// Writes the files of tensors.
  ///
  /// - Parameter source: the tensors, if they are to pass by something else.
  /// - Returns: where the files are.
  @discardableResult
  func writeWeights(
    to output: PartialOutput, of source: (any TensorSource)? = nil,
    _ progress: ((ConversionStep) -> Void)?
  ) throws -> [FilePath] {
    try weightFiles.map { file in
      let place = try output.partialFile(
        file.name, checkpointByteCount: request.output.checkpointByteCount)
      try stream(to: output, of: source).write(file.layout, to: place, progress: progress)
      _ = try place.finish()
      return place.path
    }
  }

  /// What computes the tensors, and notes what a merge measured of each.
  func stream(to output: PartialOutput, of source: (any TensorSource)? = nil) -> TensorStream {
    TensorStream(
      source: source ?? tensors, blocks: blocks
    ) { [measurements, origins] info in
      guard let origin = origins[info.name], origin.isMerged else { return }
      for record in measurements.records(of: origin.sourceName ?? info.name) {
        try output.record(record)
      }
    }
  }

  /// Checks that what was read is still what it was when the conversion was planned.
  private func checkSources() throws(ConversionError) {
    guard let path = sources.changedPath else { return }
    throw ConversionError(
      .badInput,
      "\(path): was changed while it was read, so that what was made of it may be half old and half "
        + "new. Run again when nothing writes to it")
  }

  /// What to say of a failure, after what is left was kept or removed.
  private func failure(of output: PartialOutput, _ error: any Error) -> any Error {
    // Sources that changed explain any other failure, and nothing made of them is any good.
    if let error = sources.changedPath == nil ? nil : failureOfSources(output) { return error }
    let file = error as? FileError ?? (error as? TensorSourceError)?.cause
    guard let file, output.isWorthKeeping else {
      output.discard()
      return error
    }
    return ConversionError(
      file.kind,
      "\(file). What is done is kept in '\(output.path)': the same command with --resume goes on "
        + "from there")
  }

  private func failureOfSources(_ output: PartialOutput) -> (any Error)? {
    do {
      try checkSources()
      return nil
    } catch {
      output.discard()
      return error
    }
  }

  /// All that the bytes of the destination follow from.
  private var journalHeader: JSONObject {
    var header: JSONObject = [
      "format": "flare-journal", "version": 1, "program": .string("flare \(flareVersion)"),
      "destination": .string(request.destination.lastComponent?.string ?? ""),
      "form": .string(request.form.rawValue),
      "type of floats": .string(request.elementType.map { "\($0)" } ?? "as they are"),
      "quantization": .string(
        request.quantization.map { "\($0)" } ?? request.preset?.rawValue ?? "none"),
      "largest file": .string(
        request.output.maximumShardByteCount.map { "\($0) bytes" } ?? "any size"),
      "rounding": .string(request.merging.rounding.rawValue),
      "no source": .boolean(request.isSourceFree),
      "into quantized": .boolean(request.merging.mergesIntoQuantized),
      "combination": .string(request.merging.combination.map { "\($0)" } ?? "none"),
      "source alignment": .string(request.merging.sourceAlignment?.rawValue ?? "none"),
      "weights of adapters": .array(request.adapters.map { .number(Double($0.weight)) }),
      "order of adapters": .array(request.adapters.map { .string($0.adapter.path.string) }),
    ]
    header["sources"] = sources.json
    // What all of the above and the model lead to; it differs by itself when rules for types do.
    header["tensors"] = .object(
      JSONObject(weightFiles.map { ($0.name, .string($0.layout.fingerprint)) }))
    return header
  }
}
