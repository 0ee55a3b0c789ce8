import Conversion
import Evaluation
import Models
import Quantization
import SystemPackage
import TestSupport
import Testing
import Tokenizers

/// The trained samples, answer by answer as PyTorch gives them.
struct SamplesTests {
  @Test(arguments: Sample.names)
  func `greedy text equals that of PyTorch for 64 tokens`(name: String) throws {
    let sample = try Sample(name)
    let cases = try sample.greedy()
    #expect(cases.count == 9)
    let options = GenerationOptions(maximumTokenCount: 64, stopsAtEndOfText: false)
    for greedy in cases {
      let model = try sample.model(greedy.adapters)
      let tokenizer = try #require(model.tokenizer)
      let tokens = try model.generate(
        from: tokenizer.encode(greedy.prompt),
        source: greedy.source.map { .tokens(tokenizer.encode($0)) },
        options)
      #expect(tokens == greedy.tokens, "\(greedy.adapters)")
    }
  }

  @Test(arguments: Sample.names)
  func `answers equal those of PyTorch in every row of the table`(name: String) throws {
    let sample = try Sample(name)
    let questions = try Sample.questions()
    let rows = try sample.rows()
    #expect(rows.count >= 10)
    for (row, expected) in rows {
      let result = try ExactMatch(
        sample.model(expected.adapters), on: questions, expected.setting)
      // The last of these questions takes its wrong source from the first, in the set from the next.
      let count = questions.questions.count - 1
      #expect(
        result.predictions.prefix(count).map(\.text) == Array(expected.predictions.prefix(count)),
        "\(row)")
    }
  }

  @Test(arguments: Sample.names)
  func `an int4 bundle with FLARE merged as far as possible still reads its source`(
    name: String
  ) throws {
    try withTemporaryDirectory { directory in
      let sample = try Sample(name)
      let bundle = directory.appending("model.flare")
      let conversion = try Conversion(
        ConversionRequest(
          model: ModelFiles(sample.path.appending("base")),
          adapters: sample.adapters(["task-lora", "flare-add_relu"]), destination: bundle,
          form: .bundleFile, quantization: .int4), with: sample.kernels)
      try conversion.run()
      let model = try LanguageModel(bundle, with: sample.kernels)
      let questions = try Sample.questions()
      let right = try ExactMatch(model, on: questions).rightCount
      let wrong = try ExactMatch(model, on: questions, .wrongSource).rightCount
      #expect(right > wrong)
    }
  }

  @Test func `the sample program answers with the help of the translation`() throws {
    try withTemporaryDirectory { directory in
      let sample = try Sample("gemma")
      let bundle = directory.appending("model")
      try Conversion(
        ConversionRequest(
          model: ModelFiles(sample.path.appending("base")),
          adapters: sample.adapters(["task-lora", "flare-add_relu"]), destination: bundle,
          form: .bundle), with: sample.kernels
      ).run()
      let question = try Sample.questions().questions[1]
      let translation = try #require(question.source)
      let process = try FinishedProcess(
        "AskWithSource", [bundle.string, question.target.prompt, translation.prompt])
      #expect(process.exitCode == 0, "\(process.errors)")
      #expect(process.output.contains("with the translation:    \(question.answers[0])\n"))
      #expect(!process.output.contains("without the translation: \(question.answers[0])\n"))
    }
  }
}
