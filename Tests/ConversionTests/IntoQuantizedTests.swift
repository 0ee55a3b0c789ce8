import Adapters
import Conversion
import Files
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Merging into weights that are quantized already.
struct IntoQuantizedTests {
  let model: VectorModel
  init() throws { model = try VectorModel("llama") }

  /// Llama as a bundle of `scheme`, in `directory`.
  func bundle(_ scheme: QuantizationScheme, in directory: FilePath) throws -> ModelFiles {
    let path = directory.appending("quantized")
    let request = ConversionRequest(
      model: try model.files(), destination: path, form: .bundle, quantization: scheme)
    try Conversion(request, with: model.kernels).run()
    return try ModelFiles(path)
  }

  func conversion(
    _ files: ModelFiles, _ adapter: String, weight: Float = 1, in directory: FilePath,
    elementType: ElementType? = nil
  ) throws -> Conversion {
    var merging = MergeOptions()
    merging.mergesIntoQuantized = true
    return try Conversion(
      ConversionRequest(
        model: files,
        adapters: [AdapterStack.Member(try model.adapter(adapter), weight: weight)],
        destination: directory.appending("merged"), form: .bundle, elementType: elementType,
        merging: merging),
      with: model.kernels)
  }

  /// The share of what `adapter` does to the logits of the quantized base that the merged model
  /// does.
  func share(_ files: ModelFiles, _ adapter: String, _ weight: Float, _ merged: FilePath) throws
    -> Double
  {
    let member = AdapterStack.Member(try model.adapter(adapter), weight: weight)
    let base = try LanguageModel(files, with: model.kernels)
    let before = try base.logitArray()
    let wanted = try base.adapted(by: [member]).logitArray()
    let got = try LanguageModel(merged, with: model.kernels).logitArray()
    var (product, square) = (0.0, 0.0)
    for i in before.indices {
      let change = Double(wanted[i] - before[i])
      product += change * Double(got[i] - before[i])
      square += change * change
    }
    return product / square
  }

  @Test(arguments: [QuantizationScheme.int8, .int4])
  func `only what the adapter touches changes, and the change survives`(
    scheme: QuantizationScheme
  ) throws {
    try withTemporaryDirectory { directory in
      let files = try bundle(scheme, in: directory)
      let conversion = try conversion(files, "lora-2", in: directory)
      try conversion.run()
      let merged = try ModelFiles(directory.appending("merged")).tensors
      #expect(merged.tensorInfos.map(\.name) == files.tensors.tensorInfos.map(\.name))

      let touched = Set(conversion.mergePlan.ledger.map { "\($0.module).weight" })
      #expect(Set(conversion.requantizations.map(\.name)) == touched && touched.count == 6)
      for info in files.tensors.tensorInfos {
        let (before, after) = (
          try files.tensors.tensor(named: info.name), try merged.tensor(named: info.name)
        )
        #expect(before.hasSameBytes(as: after) != touched.contains(info.name), "\(info.name)")
        #expect(before.elementType == after.elementType, "\(info.name)")
      }
      for entry in conversion.requantizations {
        #expect(abs(entry.survival - 1) < 0.1, "\(entry)")
        #expect(entry.newType == entry.oldType)
      }
      let share = try share(files, "lora-2", 1, directory.appending("merged"))
      #expect(abs(share - 1) < 0.2, "\(share)")
    }
  }

  @Test(arguments: [
    (QuantizationScheme.int8, Float(0.01), ElementType.float16), (.int4, 0.1, .groupedInt8),
    (.int4, 0.01, .float16),
  ])
  func `a delta too small for a type is raised to a finer one and not erased`(
    scheme: QuantizationScheme, weight: Float, finer: ElementType
  ) throws {
    try withTemporaryDirectory { directory in
      let files = try bundle(scheme, in: directory)
      let conversion = try conversion(files, "lora-2", weight: weight, in: directory)
      try conversion.run()
      let merged = try ModelFiles(directory.appending("merged")).tensors
      #expect(conversion.requantizations.count == 6)
      for entry in conversion.requantizations {
        #expect(abs(entry.survival - 1) < 0.1 && entry.noise < 0.5, "\(entry)")
        #expect(entry.newType == finer && entry.oldType != finer)
        #expect(merged.info(named: entry.name)?.elementType == entry.newType)
        #expect(files.tensors.info(named: entry.name)?.elementType == entry.oldType)
      }
      let share = try share(files, "lora-2", weight, directory.appending("merged"))
      #expect(share > 0.5 && share < 1.5, "\(share)")
    }
  }

  @Test func `another type for floats leaves quantized weights alone`() throws {
    try withTemporaryDirectory { directory in
      let files = try bundle(.int8, in: directory)
      let conversion = try conversion(files, "lora-2", in: directory, elementType: .bfloat16)
      try conversion.run()
      let merged = try ModelFiles(directory.appending("merged")).tensors
      #expect(conversion.requantizations.count == 6)
      for info in files.tensors.tensorInfos where !conversion.mergePlan.changes(info.name) {
        let tensor = try merged.tensor(named: info.name)
        if info.elementType.isGrouped {
          #expect(try tensor.hasSameBytes(as: files.tensors.tensor(named: info.name)))
        } else {
          #expect(tensor.elementType == .bfloat16)
        }
      }
    }
  }

  @Test func `a model that is not quantized is not merged into as if it were`() throws {
    try withTemporaryDirectory { directory in
      let files = try model.files()
      let error = #expect(throws: ConversionError.self) {
        try conversion(files, "lora", in: directory)
      }
      #expect(
        error?.description == "\(model.path): is not quantized. Leave out --into-quantized")
      #expect(error?.kind == .usage)
    }
  }

  @Test func `a Hugging Face directory cannot hold what stays quantized`() throws {
    try withTemporaryDirectory { directory in
      var merging = MergeOptions()
      merging.mergesIntoQuantized = true
      let request = ConversionRequest(
        model: try bundle(.int8, in: directory), adapters: try model.members("lora"),
        destination: directory.appending("merged"), form: .huggingFace, merging: merging)
      let error = #expect(throws: ConversionError.self) {
        try Conversion(request, with: model.kernels)
      }
      #expect(error?.description.hasPrefix("a Hugging Face directory cannot hold") == true)
    }
  }
}
