import JSON
import Templates
import TestSupport
import Testing

struct GoldenTests {
  @Test func `templates render what jinja2 renders, byte for byte`() throws {
    let vectors = try TemplateVectors()
    #expect(vectors.cases.count > 300)
    for example in vectors.cases {
      let result = Result { try rendered(example) }
      switch (result, example.expected) {
      case (.success(let text), let expected?):
        #expect(
          Array(text.utf8) == Array(expected.utf8),
          "\(example.name): got\n\(text)\nexpected\n\(expected)")
      case (.success(let text), nil):
        Issue.record("\(example.name): got '\(text)', jinja2 has \(example.message ?? "an error")")
      case (.failure(let error), let expected?):
        Issue.record("\(example.name): \(error), expected '\(expected)'")
      case (.failure(let error), nil):
        #expect(
          ((error as? TemplateError)?.code == .raised) == (example.error == "raised"),
          "\(example.name): \(error), jinja2 has \(example.message ?? "")")
      }
    }
  }

  @Test func `what a template says itself is what jinja2 reports`() throws {
    let raised = try TemplateVectors().cases.filter { $0.error == "raised" }
    #expect(!raised.isEmpty)
    for example in raised {
      let error = #expect(throws: TemplateError.self) { try rendered(example) }
      #expect(error?.message == example.message)
    }
  }

  private func rendered(_ example: TemplateVectors.Case) throws -> String {
    try Template(example.template).render(example.variables, date: TemplateVectors.now)
  }
}
