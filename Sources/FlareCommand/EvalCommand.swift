public import ArgumentParser
public import Evaluation
import JSON
import Kernels
import Models
import SystemPackage

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measure how well a model answers questions (exact match).",
    discussion: """
      Each line of the data is a JSON object with "context", "question" and "answer", and \
      optionally their English translation as "source_context", "source_question" and \
      "source_answer". Answers are compared as TyDi QA does: lower case, without punctuation and \
      English articles.

      EXAMPLE:
        flare eval samples/llama/base --adapter samples/llama/task-lora \\
          --adapter samples/llama/flare-add_relu --data samples/data/test.jsonl
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(help: "A JSONL file of questions.")
  var data: FilePath

  @OptionGroup var adapters: AdapterOptions

  @Option(
    help: ArgumentHelp(
      "What is asked: target (with its source if an adapter reads one), no-source, wrong-source "
        + "(another question's translation), source-text (the translation itself).",
      valueName: "setting"))
  var setting: ExactMatch.Setting = .target

  @Flag(help: "Print JSON, with every prediction.")
  var json = false

  @OptionGroup var keyValues: KeyValueOptions
  @OptionGroup var trust: TrustOptions
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    let kernels = try compute.kernels()
    let questions = try QuestionSet(contentsOf: data)
    let files = try trust.open(model)
    let result = try trust.checking(files) {
      let model = try adapters.open(files, requiring: try trust.signature.keys(), with: kernels)
      let bar = ProgressBar("Asking", total: questions.questions.count, unit: .items)
      return try bar.during {
        try ExactMatch(
          model, on: questions, setting, keyValueType: keyValues.kvType ?? .float16
        ) { _ in bar.advance(by: 1) }
      }
    }

    if json {
      writeJSON([
        "metric": "exact-match", "setting": .string(setting.rawValue),
        "exact_match": .number(result.share), "right": .integer(result.rightCount),
        "questions": .integer(result.predictions.count),
        "predictions": .array(
          result.predictions.map { prediction in
            [
              "id": .string(prediction.id), "text": .string(prediction.text),
              "right": .boolean(prediction.isRight),
            ]
          }),
      ])
    } else {
      let share = decimalText(result.share * 100, 1)
      standardOutput.write(
        "exact match \(share) % (\(result.rightCount) of \(result.predictions.count))\n")
    }
  }
}

extension ExactMatch.Setting: ExpressibleByArgument {}
