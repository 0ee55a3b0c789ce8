public import Adapters
import Bundles
import Files
public import Kernels
import Models
public import Quantization
package import SystemPackage
public import Tensors
import WeightFiles

/// A model on its way into another form: merged, quantized, packed, in one pass.
///
///     let conversion = try Conversion(request, with: kernels)   // plan: nothing is written
///     try conversion.check()                                    // the destination is free, has room
///     let report = try conversion.run()                         // it appears whole, by one rename
///
/// Blocks of rows go from the files through merge and quantization to the destination, so memory does
/// not grow with the model.
public struct Conversion: Sendable {
  public let request: ConversionRequest
  /// What happens to each module of each adapter.
  public let mergePlan: MergePlan
  /// The tensors of the destination, each computed when it is asked for.
  public let tensors: any TensorSource
  /// How far each step of the merge moved its tensor, known once that is written.
  public let measurements = MergeMeasurements()
  /// What became of quantized tensors that were merged into.
  public let requantizations: [Requantization]
  /// What became otherwise than was asked for, one sentence each.
  public let notes: [String]
  /// The files of tensors that will be written.
  let weightFiles: [WeightFile]
  /// Why each tensor of the destination has its type, and what it is made from.
  let origins: [String: TensorOrigin]
  /// Of the model that will be at the destination.
  let configuration: ModelConfiguration
  /// What is read.
  let sources: SourceFiles
  let kernels: Kernels

  /// Plans a conversion.
  ///
  /// - Throws: a `FlareError` when the model cannot be run, an adapter does not fit it, or the
  ///   destination's form cannot hold the result.
  public init(_ request: ConversionRequest, with kernels: Kernels) throws {
    sources = try SourceFiles(of: request)
    self.kernels = kernels
    let stack = try LanguageModel.check(request.model, adapters: request.adapters, with: kernels)
    guard !request.isSourceFree || stack.readsSource else {
      throw ConversionError(.usage, "--no-source is given, but no adapter here reads a source")
    }
    try request.check()
    self.request = request
    let base = request.model.tensors
    let plan = try Self.mergePlan(request, stack)
    mergePlan = plan
    try plan.check(against: base, allowsZero: request.merging.allowsZero)
    try request.checkQuantization(plan)
    let measurements = measurements
    func merged(
      as elementType: @escaping @Sendable (TensorInfo) -> ElementType = { $0.elementType }
    ) -> MergedTensors {
      MergedTensors(
        base, plan, with: kernels, rounding: request.merging.rounding, measuring: measurements,
        elementType: elementType)
    }
    let shapes = merged()
    configuration = try request.model.configuration().adapted(by: stack, from: base, to: shapes)

    let metadata: GGUFMetadata?
    if request.form == .gguf {
      let changed = try Requantizable(
        merged(as: Self.ggufTypes(request, plan)), request, base, kernels)
      let destination = try GGUFDestinationTensors(
        changed.tensors, from: shapes, of: configuration,
        Self.ggufArchitecture(configuration.architecture), request, plan, with: kernels)
      tensors = destination
      requantizations = changed.requantizations
      notes = destination.notes
      origins = destination.origins
      metadata = try Self.ggufMetadata(request, configuration, destination)
    } else {
      let types = try TensorTypes(request, of: shapes.tensorInfos)
      let changed = try Requantizable(
        merged { types.mergedType(of: $0, in: plan) }, request, base, kernels)
      let infos = changed.tensors.tensorInfos
      tensors = ConvertedTensors(changed.tensors, as: types.quantized(infos), with: kernels)
      requantizations = changed.requantizations
      notes = []
      metadata = nil
      origins = TensorOrigin.all(infos, types, plan, base)
    }
    try request.check(tensors, plan)
    weightFiles = try WeightFile.all(of: request, tensors, metadata: metadata)
  }

  private static func mergePlan(
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

  /// The types between a merge and a GGUF file: what is merged and then quantized stays in float32
  /// between the two, so that it is rounded once.
  private static func ggufTypes(
    _ request: ConversionRequest, _ plan: MergePlan
  ) -> @Sendable (TensorInfo) -> ElementType {
    let isConverted = request.preset != nil || !request.types.isEmpty
    let keepsQuantized = request.merging.mergesIntoQuantized
    let elementType = request.elementType
    return { info in
      if keepsQuantized && info.elementType.isQuantized { return info.elementType }
      return isConverted && plan.addsTo(info.name) ? .float32 : elementType ?? info.elementType
    }
  }

  /// The size of what will be written, in bytes: all files of tensors.
  public var byteCount: Int { weightFiles.reduce(0) { $0 + $1.layout.byteCount } }

  /// The most bytes that the destination takes on its device while it is made.
  var diskByteCount: Int { byteCount }

  /// The adapters that the destination will contain, with what runs beside its weights.
  var appliedAdapters: [(record: BundleManifest.Adapter, residue: Adapter?)] {
    mergePlan.appliedAdapters(after: request.model.appliedAdapters)
  }

  /// The files, or the directory, that will be there.
  package var destinations: [FilePath] {
    guard request.form == .gguf else { return [request.destination] }
    return weightFiles.map { request.destination.removingLastComponent().appending($0.name) }
  }

  /// Checks the destination.
  ///
  /// - Throws: `FileError` when it is there and may not be replaced, holds what is being read, or
  ///   does not fit on its device; `ConversionError` when an earlier run did not finish, or the budget
  ///   of memory is too small.
  public func check() throws {
    let isFinished =
      request.output.resumes && PartialOutput.isFinished(at: request.destination)
    for destination in destinations where destination.exists && !isFinished {
      guard request.mayReplace else { throw FileError(.exists, destination) }
      try ModelFiles.checkReplaceable(destination, asDirectory: request.form.isDirectory)
    }
    let partial = PartialOutput.path(for: request.destination)
    for place in [request.destination, partial] {
      try place.checkApart(from: [request.model.path] + request.adapters.map(\.adapter.path))
    }
    let folder = request.destination.removingLastComponent()
    if request.model.form == .bundle, request.model.path.holds(folder.isEmpty ? "." : folder) {
      throw FileError(
        .notReplaceable, request.destination,
        detail: "it would be in the bundle '\(request.model.path)', whose manifest does not list it"
      )
    }
    try PartialOutput.checkResumable(request.destination, resumes: request.output.resumes)
    try request.destination.checkSpace(for: diskByteCount - partial.treeByteCount)
    try checkMemory()
  }
}

/// A merge into a base that may be quantized, whose changed tensors are then quantized again.
private struct Requantizable {
  let tensors: any TensorSource
  var requantizations: [Requantization] = []

  init(
    _ merged: MergedTensors, _ request: ConversionRequest, _ base: any TensorSource,
    _ kernels: Kernels
  ) throws(TensorSourceError) {
    guard request.merging.mergesIntoQuantized else {
      tensors = merged
      return
    }
    let requantized = try RequantizedTensors(merged, from: base, with: kernels)
    tensors = requantized
    requantizations = requantized.requantizations
  }
}
