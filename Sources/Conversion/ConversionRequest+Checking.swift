import Adapters
import Bundles
import Files
import Models
import Quantization
import Tensors

// What a request cannot ask for, found before anything is computed.
extension ConversionRequest {
  /// Checks that the options do not contradict each other.
  func check() throws(ConversionError) {
    let nameForm = Form(destination: destination)
    guard nameForm == form || nameForm.isDirectory else {
      throw ConversionError(
        .usage,
        "\(destination): the name asks for '\(nameForm.rawValue)', but "
          + "'\(form.rawValue)' is to be written. Choose another name")
    }
    guard probes.isEmpty || form == .bundle else {
      throw ConversionError(
        .usage,
        "\(destination): probes are for bundle directories, which 'flare pack' makes one file of. Choose "
          + "a directory"
      )
    }
    if adapters.isEmpty {
      let others = [
        ("--rounding", merging.rounding != .once), ("--allow-zero", merging.allowsZero),
      ]
      if let other = others.first(where: \.1)?.0 {
        throw ConversionError(
          .usage, "no adapter is given, so nothing is merged. Leave out \(other)")
      }
    }
    if types.planned != nil {
      let others = [
        ("--quantize", quantization != nil || preset != nil), ("--dtype", elementType != nil),
        ("--tensor-type", !types.patterns.isEmpty),
      ]
      if let other = others.first(where: \.1)?.0 {
        throw ConversionError(
          .usage, "a plan file gives the type of every tensor. Leave out \(other)")
      }
    }
    if form == .gguf {
      guard preset == nil || elementType == nil else {
        throw ConversionError(
          .usage, "a preset chooses the type of every weight. Leave out --dtype, or --quantize")
      }
      guard quantization == nil else {
        throw ConversionError(
          .usage, "int8 and int4 are for bundles. Quantize a GGUF file to q8_0, q4_k_m, ...")
      }
    } else if preset != nil {
      throw ConversionError(
        .usage, "the types of GGUF are for GGUF files. Quantize to int8 or int4, or write a .gguf")
    }
    guard output.maximumShardByteCount == nil || form == .gguf || form == .huggingFace else {
      throw ConversionError(
        .usage,
        "--max-shard-size is for Hugging Face directories and GGUF files; the weights of a bundle "
          + "are one file")
    }
  }

  /// Refuses to quantize what is quantized, or to merge into it unless that was asked for.
  func checkQuantization(_ plan: MergePlan) throws(ConversionError) {
    let quantized = model.tensors.tensorInfos.filter(\.elementType.isQuantized)
    guard let first = quantized.first else {
      guard !merging.mergesIntoQuantized else {
        throw ConversionError(
          .usage, "\(model.path): is not quantized. Leave out --into-quantized")
      }
      return
    }
    guard types.isEmpty || !merging.mergesIntoQuantized else {
      throw ConversionError(
        .usage, "--into-quantized keeps the types of the model. Leave out --tensor-type")
    }
    if quantization != nil || preset?.mainType.isQuantized == true {
      throw ConversionError(
        .badInput,
        "\(model.path): '\(first.name)' is \(first.elementType) already; quantizing again "
          + "would lose more. Start from the unquantized model")
    }
    guard !merging.mergesIntoQuantized,
      let touched = quantized.first(where: { plan.changes($0.name) })
    else { return }
    throw ConversionError(
      .badInput,
      "'\(touched.name)' is \(touched.elementType): a merge into quantized weights loses some of the "
        + "adapter. Merge into the unquantized model and quantize then, or pass --into-quantized")
  }

  /// Checks that the form can hold the tensors of the destination.
  func check(_ tensors: any TensorSource, _ plan: MergePlan) throws(ConversionError) {
    if form == .gguf { return try checkGGUF(tensors, plan) }
    let quantized = tensors.tensorInfos.first { $0.elementType.isQuantized }
    if quantization != nil && quantized == nil {
      throw ConversionError(
        .badInput,
        "\(model.path): no weight can be quantized; "
          + "the columns of every matrix would have to be a multiple of 32")
    }
    guard form == .huggingFace, let info = quantized else { return }
    let remedy = quantization == nil ? "pass --dtype to write float" : "leave out --quantize"
    throw ConversionError(
      .usage,
      "a Hugging Face directory cannot hold '\(info.name)' as \(info.elementType). "
        + "Write a bundle, or \(remedy)")
  }

  private func checkGGUF(
    _ tensors: any TensorSource, _ plan: MergePlan
  ) throws(ConversionError) {
    if let info = tensors.tensorInfos.first(where: \.elementType.isGrouped) {
      throw ConversionError(
        .badInput,
        "a GGUF file cannot hold '\(info.name)' as \(info.elementType). Start from the unquantized "
          + "model")
    }
    let applied = plan.appliedAdapters(after: model.appliedAdapters)
    guard let adapter = applied.first(where: { $0.residue != nil }) else { return }
    throw ConversionError(
      .badInput,
      "what stays of the adapter '\(adapter.record.name)' has to run beside the weights, which a GGUF "
        + "file cannot say. Write a bundle, or merge it with --no-source")
  }
}
