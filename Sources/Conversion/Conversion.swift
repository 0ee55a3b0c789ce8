public import Adapters
import Bundles
public import Files
public import Kernels
import Models
public import Quantization
import SystemPackage
public import Tensors
import WeightFiles

/// A model on its way into another form: merged, quantized, packed, in one pass.
///
///     let conversion = try Conversion(request, with: kernels)   // plan: nothing is written
///     try conversion.check()                                    // the destination is free, has room
///     let report = try conversion.run()                         // it appears whole, by one rename
///
/// One tensor at a time goes from the mapped source through merge and quantization to the
/// destination, so memory does not grow with the model.
public struct Conversion: Sendable {
  public let request: ConversionRequest
  /// What happens to each module of each adapter.
  public let mergePlan: MergePlan
  /// The tensors of the destination, each computed when it is asked for.
  public let tensors: any TensorSource
  /// How far each step of the merge moved its tensor, known once that is written.
  public let measurements = MergeMeasurements()
  /// What became of quantized tensors that were merged into.
  public private(set) var requantizations: [Requantization] = []
  /// What became otherwise than was asked for, one sentence each.
  public private(set) var notes: [String] = []
  /// The file that will be written, when it is a GGUF file.
  private(set) var ggufPlan: GGUFPlan?
  /// Of the model that will be at the destination.
  let configuration: ModelConfiguration

  /// Plans a conversion.
  ///
  /// - Throws: a `FlareError` when the model cannot be run, an adapter does not fit it, or the
  ///   destination's form cannot hold the result.
  public init(_ request: ConversionRequest, with kernels: Kernels) throws {
    // Opening the model proves names, shapes and options; it maps the weights and copies nothing.
    let model = try LanguageModel(request.model, adapters: request.adapters, with: kernels)
    guard !request.isSourceFree || model.adapters.readsSource else {
      throw ConversionError(.usage, "--no-source is given, but no adapter here reads a source")
    }
    self.request = request
    let base = request.model.tensors
    mergePlan = try Self.plan(request, model.adapters)
    try mergePlan.check(against: base, allowsZero: request.merging.allowsZero)
    try Self.checkQuantization(request, mergePlan)
    let merged = MergedTensors(
      base, mergePlan, with: kernels, rounding: request.merging.rounding, measuring: measurements,
      elementType: Self.elementTypes(request, mergePlan))
    configuration = try request.model.configuration().adapted(
      by: model.adapters, from: base, to: merged)
    var changed: any TensorSource = merged
    if request.merging.mergesIntoQuantized {
      let requantized = try RequantizedTensors(merged, from: base, with: kernels)
      changed = requantized
      requantizations = requantized.requantizations
    }
    guard request.form != .gguf else {
      let destination = try GGUFDestinationTensors(
        changed, of: configuration, Self.ggufArchitecture(configuration.architecture),
        preset: request.preset, with: kernels)
      tensors = destination
      try checkForm()
      notes = destination.notes
      ggufPlan = try GGUFPlan(
        destination.tensorInfos, metadata: try ggufMetadata(destination))
      return
    }
    if let scheme = request.quantization {
      tensors = ConvertedTensors(changed, scheme: scheme, with: kernels)
    } else {
      tensors = changed
    }
    try checkForm()
  }

  private static func plan(
    _ request: ConversionRequest, _ stack: AdapterStack
  ) throws -> MergePlan {
    guard let method = request.merging.combination else {
      return MergePlan(
        stack, isSourceFree: request.isSourceFree,
        sourceAlignment: request.merging.sourceAlignment)
    }
    guard request.model.adapterPaths.isEmpty else {
      throw ConversionError(
        .usage,
        "\(request.model.path): has adapters of its own beside its weights, which a "
          + "combination would lose. Combine on the base they were made for")
    }
    // Base weights that came along and are the base's own are no part of a delta.
    let members = zip(stack.withoutConfirmedBases, request.adapters).map {
      AdapterStack.Member($0, weight: $1.weight)
    }
    return MergePlan(try AdapterCombination(members, by: method), fitted: stack)
  }

  /// Refuses to quantize what is quantized, or to merge into it unless that was asked for.
  private static func checkQuantization(
    _ request: ConversionRequest, _ plan: MergePlan
  ) throws(ConversionError) {
    let quantized = request.model.tensors.tensorInfos.filter(\.elementType.isQuantized)
    guard let first = quantized.first else {
      guard !request.merging.mergesIntoQuantized else {
        throw ConversionError(
          .usage, "\(request.model.path): is not quantized. Leave out --into-quantized")
      }
      return
    }
    if request.quantization != nil || request.preset?.mainType.isQuantized == true {
      throw ConversionError(
        .badInput,
        "\(request.model.path): '\(first.name)' is \(first.elementType) already; quantizing again "
          + "would lose more. Start from the unquantized model")
    }
    guard !request.merging.mergesIntoQuantized,
      let touched = quantized.first(where: { plan.changes($0.name) })
    else { return }
    throw ConversionError(
      .badInput,
      "'\(touched.name)' is \(touched.elementType): a merge into quantized weights loses some of the "
        + "adapter. Merge into the unquantized model and quantize then, or pass --into-quantized")
  }

  /// The type that each float tensor has after the merge.
  ///
  /// What is merged and then quantized stays in float32 between the two, so that it is rounded once.
  private static func elementTypes(
    _ request: ConversionRequest, _ plan: MergePlan
  ) -> @Sendable (TensorInfo) -> ElementType {
    let (scheme, preset) = (request.quantization, request.preset)
    let elementType = request.elementType
    let keepsQuantized = request.merging.mergesIntoQuantized
    return { info in
      if keepsQuantized && info.elementType.isQuantized { return info.elementType }
      if plan.addsTo(info.name), preset != nil { return .float32 }
      if plan.addsTo(info.name), case .quantize = scheme?.decision(for: info) {
        return .float32
      }
      return elementType ?? info.elementType
    }
  }

  private func checkForm() throws(ConversionError) {
    let nameForm = ConversionRequest.Form(destination: request.destination)
    guard nameForm == request.form || nameForm.isDirectory else {
      throw ConversionError(
        .usage,
        "\(request.destination): the name asks for '\(nameForm.rawValue)', but "
          + "'\(request.form.rawValue)' is to be written. Choose another name")
    }
    if request.form == .gguf { return try checkGGUF() }
    guard request.preset == nil else {
      throw ConversionError(
        .usage, "the types of GGUF are for GGUF files. Quantize to int8 or int4, or write a .gguf")
    }
    let quantized = tensors.tensorInfos.first { $0.elementType.isQuantized }
    if request.quantization != nil && quantized == nil {
      throw ConversionError(
        .badInput,
        "\(request.model.path): no weight can be quantized; "
          + "the columns of every matrix would have to be a multiple of 32")
    }
    guard request.form == .huggingFace, let info = quantized else { return }
    let remedy =
      request.quantization == nil ? "pass --dtype to write float" : "leave out --quantize"
    throw ConversionError(
      .usage,
      "a Hugging Face directory cannot hold '\(info.name)' as \(info.elementType). "
        + "Write a bundle, or \(remedy)")
  }

  private func checkGGUF() throws(ConversionError) {
    guard request.preset == nil || request.elementType == nil else {
      throw ConversionError(
        .usage, "a preset chooses the type of every weight. Leave out --dtype, or --quantize")
    }
    guard request.quantization == nil else {
      throw ConversionError(
        .usage, "int8 and int4 are for bundles. Quantize a GGUF file to q8_0, q4_k_m, ...")
    }
    if let info = tensors.tensorInfos.first(where: \.elementType.isGrouped) {
      throw ConversionError(
        .badInput,
        "a GGUF file cannot hold '\(info.name)' as \(info.elementType). Start from the unquantized "
          + "model")
    }
    guard let adapter = appliedAdapters.first(where: { $0.residue != nil }) else { return }
    throw ConversionError(
      .badInput,
      "what stays of the adapter '\(adapter.record.name)' has to run beside the weights, which a GGUF "
        + "file cannot say. Write a bundle, or merge it with --no-source")
  }

  /// The size of what will be written, in bytes: the weights, or all of a GGUF file.
  public var byteCount: Int {
    ggufPlan?.byteCount ?? tensors.tensorInfos.reduce(0) { $0 + $1.byteCount }
  }

  /// The adapters that the destination will contain, with what runs beside its weights.
  var appliedAdapters: [(record: BundleManifest.Adapter, residue: Adapter?)] {
    mergePlan.appliedAdapters(after: request.model.appliedAdapters)
  }

  /// Checks the destination.
  ///
  /// - Throws: `FileError` when it is there and may not be replaced, holds what is being read, or
  ///   does not fit on its device.
  public func check() throws(FileError) {
    let destination = request.destination
    if destination.exists {
      guard request.mayReplace else { throw FileError(.exists, destination) }
      try ModelFiles.checkReplaceable(destination, asDirectory: request.form.isDirectory)
    }
    try destination.checkApart(
      from: [request.model.path] + request.adapters.map(\.adapter.path))
    try destination.checkSpace(for: byteCount)
  }

  /// Writes the destination.
  ///
  /// - Parameter progress: called with the bytes of weights written since the last call.
  /// - Throws: a `FlareError`; then nothing is left behind.
  public func run(progress: ByteProgress? = nil) throws {
    switch request.form {
    case .huggingFace: try writeHuggingFace(progress)
    case .bundle: try writeBundle(to: request.destination, progress)
    case .bundleFile: try writeBundleFile(progress)
    case .gguf:
      try ggufPlan?.write(
        tensors, to: request.destination, mayReplace: request.mayReplace, progress: progress)
    }
  }
}
