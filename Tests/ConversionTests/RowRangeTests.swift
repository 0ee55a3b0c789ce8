import Adapters
import Conversion
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a conversion computes in pieces is what it would compute at once.
struct RowRangeTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  struct Case: Sendable, CustomTestStringConvertible {
    let model: String
    var adapters: [String] = []
    var form = ConversionRequest.Form.bundle
    var quantization: QuantizationScheme?
    var preset: GGUFPreset?
    var elementType: ElementType?

    var testDescription: String {
      "\(model) \(adapters) \(form) \(preset.map { "\($0)" } ?? "")"
    }
  }

  @Test(arguments: [
    Case(model: "llama"),
    Case(model: "llama", quantization: .int4),
    Case(model: "llama", adapters: ["lora", "dora"], form: .huggingFace),
    Case(model: "llama", adapters: ["lora"], quantization: .int4),
    Case(model: "llama", adapters: ["embedding-dora"], form: .huggingFace),
    Case(model: "gemma2", adapters: ["embedding-dora"], form: .huggingFace, elementType: .float16),
    Case(model: "gemma2", adapters: ["trainable-tokens-both"], form: .huggingFace),
    Case(model: "gemma2", adapters: ["resized-embedding"], form: .huggingFace),
    Case(model: "gemma2", adapters: ["resized"], form: .huggingFace, elementType: .bfloat16),
    Case(model: "gemma2", adapters: ["head"], form: .huggingFace),
    Case(model: "llama", adapters: ["lora"], form: .gguf, preset: .q80),
    Case(model: "llama", form: .gguf, preset: .q40),
    Case(model: "llama", adapters: ["lora", "head"], form: .gguf),
    Case(model: "llama-biased", form: .gguf, preset: .f16),
  ])
  func `rows in pieces have the bytes of the whole tensor, and are measured alike`(
    _ row: Case
  ) throws {
    let path = Vectors.path("models/\(row.model)")
    let request = ConversionRequest(
      model: try ModelFiles(path),
      adapters: try row.adapters.map {
        AdapterStack.Member(try Adapter(path.appending($0), with: kernels))
      },
      destination: row.form == .gguf ? "out.gguf" : "out", form: row.form,
      quantization: row.quantization, preset: row.preset, elementType: row.elementType)
    let whole = try Conversion(request, with: kernels)
    let pieces = try Conversion(request, with: kernels)
    for info in whole.tensors.tensorInfos {
      let expected = try whole.tensors.tensor(named: info.name)
      let multiple = pieces.tensors.rowMultiple(of: info.name)
      for start in stride(from: 0, to: info.rowCount, by: multiple) {
        let rows = start..<min(start + multiple, info.rowCount)
        let piece = try pieces.tensors.rows(rows, of: info.name)
        #expect(piece.shape == expected.rows(rows).shape)
        #expect(piece.hasSameBytes(as: expected.rows(rows)), "\(info.name) \(rows)")
      }
    }
    #expect(whole.ledgerJSON == pieces.ledgerJSON)
    #expect(
      whole.mergePlan.ledger.allSatisfy {
        $0.disposition != .mergedExactly || whole.measurements.change(of: $0) != nil
      })
  }

  @Test func `a matrix in panels is cut at whole panels`() throws {
    let source = Tensor((0..<40 * 32).map { Float($0 % 17) - 8 }, shape: [40, 32])
    let whole = try quantize(source, as: .groupedInt8, with: kernels)
    for rows in [0..<16, 16..<40, 32..<40] {
      let piece = try quantize(source.rows(rows), as: .groupedInt8, with: kernels)
      #expect(whole.rows(rows).hasSameBytes(as: piece))
    }
    #expect(!whole.rows(0..<16).hasSameBytes(as: whole.rows(16..<32)))
  }
}
