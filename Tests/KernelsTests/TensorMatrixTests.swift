import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct `Tensors and matrices` {
  @Test(arguments: [ElementType.float16, .bfloat16])
  func `every 16-bit pattern becomes its float and comes back`(type: ElementType) throws {
    let patterns = (0...UInt16.max).map { $0 }
    let all = Tensor(shape: [256, 256], elementType: type) { bytes in
      for pattern in patterns {
        bytes.storeBytes(of: pattern, toByteOffset: 2 * Int(pattern), as: UInt16.self)
      }
    }
    for kernels in try allKernels() {
      let floats = kernels.floats(of: all)
      let found = array(floats)
      for pattern in patterns {
        let expected =
          type == .float16
          ? Float(Float16(bitPattern: pattern)) : Float(BFloat16(bitPattern: pattern))
        let float = found[Int(pattern)]
        #expect(float.bitPattern == expected.bitPattern || float.isNaN && expected.isNaN)
      }
      let back = kernels.tensor(floats, shape: [65536], as: type)
      for pattern in patterns where !found[Int(pattern)].isNaN {
        #expect(back.bytes.loadUInt16(at: 2 * Int(pattern)) == pattern)
      }
    }
  }

  @Test func `floats round to the nearest even 16-bit number`() throws {
    var generator = SeededGenerator(seed: 51)
    // Random bit patterns reach subnormals, overflows and NaN; the listed ones are ties and edges.
    var values: [Float] = [
      0, -0.0, 65504, 65519.996, 65520, -65520, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1.002p0, 0x1.006p0,
      0x1.01p0, 0x1.03p0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude,
    ]
    for _ in 0..<20_000 {
      values.append(Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator)))
      values.append(Float.random(in: -1e-6...1e-6, using: &generator))
      values.append(Float.random(in: -7e4...7e4, using: &generator))
    }
    for kernels in try allKernels() {
      let source = matrix(values, rows: 1, columns: values.count)
      let halves = kernels.tensor(source, shape: [values.count], as: .float16)
      let brains = kernels.tensor(source, shape: [values.count], as: .bfloat16)
      for (i, value) in values.enumerated() {
        let half = Float16(bitPattern: halves.bytes.loadUInt16(at: 2 * i))
        let brain = Float(BFloat16(bitPattern: brains.bytes.loadUInt16(at: 2 * i)))
        if value.isNaN {
          #expect(half.isNaN && brain.isNaN)
        } else {
          #expect(half.bitPattern == Float16(value).bitPattern, "\(value)")
          #expect(brain.bitPattern == Float(BFloat16(value)).bitPattern, "\(value)")
        }
      }
    }
  }

  @Test func `looking rows up gives them in the order asked for`() throws {
    let table = tensor((0..<12).map(Float.init), [4, 3], as: .bfloat16)
    for kernels in try allKernels() {
      var output = FloatMatrix(rowCapacity: 5, columnCount: 3)
      kernels.gatherRows([3, 0, 3], of: table, into: &output)
      #expect(output.rowCount == 3)
      #expect(array(output) == [9, 10, 11, 0, 1, 2, 9, 10, 11])
    }
  }

  @Test(arguments: ElementType.groupedTypes)
  func `looking rows of a grouped table up equals dequantizing it`(type: ElementType) throws {
    let columns = 2 * type.columnMultiple
    let table = groupedTensor(type, rows: 37, columns: columns, seed: 52)
    for kernels in try allKernels() {
      let all = array(kernels.floats(of: table))
      var output = FloatMatrix(rowCapacity: 2, columnCount: columns)
      kernels.gatherRows([36, 17], of: table, into: &output)
      #expect(
        array(output)
          == Array(all[36 * columns..<37 * columns] + all[17 * columns..<18 * columns]))
    }
  }
}

extension RawSpan {
  fileprivate func loadUInt16(at offset: Int) -> UInt16 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt16.self)
  }
}
