import SystemPackage
import TestSupport
import Testing

/// What `flare inspect` says of the ways in which architectures differ.
struct InspectModelTests {
  static let facts: [(String, [String])] = [
    ("mistral", ["Mistral", "window 6 on 3 of 3 layers"]),
    ("qwen2", ["Qwen 2", "window 6 on 2 of 4 layers"]),
    ("qwen3", ["Qwen 3", "query and key norms"]),
    (
      "gemma3",
      [
        "Gemma 3", "theta 20000.0, linear, factor 4.0; with a window theta 500.0",
        "query and key norms, window 6 on 3 of 4 layers",
      ]
    ),
  ]

  @Test(arguments: facts)
  func `a model is described with what sets it apart`(name: String, facts: [String]) throws {
    let process = try FinishedProcess(
      "flare", ["inspect", Vectors.path("architectures/\(name)").string])
    #expect(process.exitCode == 0 && process.errors.isEmpty, "\(process.errors)")
    for fact in facts { #expect(process.output.contains(fact), "\(process.output)") }
  }

  @Test func `a model that also reads images is described as a text model, and said to be unusual`()
    throws
  {
    let process = try FinishedProcess(
      "flare", ["inspect", Vectors.path("architectures/gemma3-multimodal").string])
    #expect(process.output.contains("Gemma 3"), "\(process.output)")
    #expect(process.output.contains("34 tensors for images"), "\(process.output)")
  }
}
