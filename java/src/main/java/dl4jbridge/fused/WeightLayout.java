package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * The weights of one recurrent layer in the order in which the products of a segment read them: {@link Panels} for many
 * rows, DL4J's own arrays for few, and for a one-hot input the rows of W, which need no product.
 */
final class WeightLayout {
    private Shape shape;
    private boolean oneHot;
    private final Matrix recurrent = new Matrix();
    private final Matrix input = new Matrix();
    private float[] inputRows = new float[0]; // [class, gate and unit] of W, with the bias added
    private final Transposition.Scratch[] scratch = new Transposition.Scratch[GATES]; // of each gate's thread

    WeightLayout() {
        Arrays.setAll(scratch, g -> new Transposition.Scratch());
    }

    /** Allocates memory for a segment; {@link #put} then fills it gate by gate. */
    void begin(Shape shape, boolean oneHot) {
        this.shape = shape;
        this.oneHot = oneHot;
        if (shape.manyRows) {
            recurrent.allocate(shape.size);
        }
        if (oneHot && inputRows.length < shape.inputs * shape.gatePitch) {
            inputRows = new float[shape.inputs * shape.gatePitch];
        } else if (shape.manyRows && !oneHot) {
            input.allocate(shape.inputs);
        }
    }

    /** Copies the weights of one gate. Gates may be copied by different threads. */
    void put(RecurrentWeights weights, int gate) {
        if (!shape.manyRows) {
            return;
        }
        recurrent.put(weights.recurrent, gate);
        if (oneHot) {
            putInputRows(weights, gate);
        } else {
            input.put(weights.input, gate);
        }
    }

    /** Copies W for {@link #multiplyBackToInput} after a forward pass of a one-hot input, which does without. */
    void putInput(RecurrentWeights weights) {
        if (oneHot) {
            input.allocate(shape.inputs);
            Workers.run(GATES, gate -> input.put(weights.input, gate));
        }
    }

    private void putInputRows(RecurrentWeights weights, int gate) {
        int size = shape.size;
        int inputs = shape.inputs;
        int n = size * inputs;
        float[] columns = scratch[gate].atLeast(n).from;
        Memory.get(weights.input.view(), (long) gate * n, columns, n);
        float[] bias = new float[size];
        Memory.get(weights.bias.view(), (long) gate * size, bias, size);
        for (int j = 0; j < size; j++) {
            for (int i = j * inputs; i < (j + 1) * inputs; i++) {
                columns[i] += bias[j];
            }
        }
        Transposition.transpose(columns, size, inputs, inputRows, gate * size, shape.gatePitch);
    }

    /** Writes the row of W of one class, with the bias, at the position of {@code z}. */
    void getInputRow(int oneHotClass, FloatBuffer z) {
        z.put(inputRows, oneHotClass * shape.gatePitch, shape.gatePitch);
    }

    /** z = x W for some rows and all gates. */
    void multiplyInput(int rows, long x, RecurrentWeights weights, long z) {
        if (shape.manyRows) {
            input.panels.multiply(rows, x, shape.inputPitch, 0f, z, shape.gatePitch, false);
        } else {
            multiplyFewRows(rows, x, shape.inputs, weights.input, 0f, z);
        }
    }

    /** z += h RW for some rows and all gates. */
    void multiplyRecurrent(int rows, long h, RecurrentWeights weights, long z, boolean fromLast) {
        if (shape.manyRows) {
            recurrent.panels.multiply(rows, h, shape.unitPitch, 1f, z, shape.gatePitch, fromLast);
        } else {
            multiplyFewRows(rows, h, shape.size, weights.recurrent, 1f, z);
        }
    }

    private void multiplyFewRows(int rows, long x, int inputs, Memory weights, float beta, long z) {
        int n = GATES * shape.size;
        Gemm.product(false, true, rows, n, inputs, x, inputs, weights.at(0, (long) n * inputs), inputs, beta, z, n);
    }

    /** errors = beta errors + the deltas of one gate, times its part of W transposed. */
    void multiplyBackToInput(int gate, int rows, long deltas, RecurrentWeights weights, float beta, long errors) {
        multiplyBack(input, weights.input, gate, rows, deltas, beta, errors, shape.inputPitch, false);
    }

    /** errors = beta errors + the deltas of one gate, times its part of RW transposed. */
    void multiplyBackToUnits(int gate, int rows, long deltas, RecurrentWeights weights, float beta, long errors,
            boolean fromLast) {
        multiplyBack(recurrent, weights.recurrent, gate, rows, deltas, beta, errors, shape.unitPitch, fromLast);
    }

    private void multiplyBack(Matrix matrix, Memory weights, int gate, int rows, long deltas, float beta, long errors,
            int pitch, boolean fromLast) {
        int size = shape.size;
        if (shape.manyRows) {
            matrix.transposed[gate].multiply(rows, deltas, size, beta, errors, pitch, fromLast);
        } else {
            long n = (long) size * pitch;
            Gemm.product(false, false, rows, pitch, size, deltas, size, weights.at(gate * n, n), pitch, beta, errors, pitch);
        }
    }

    Transposition.Scratch scratch(int gate) {
        return scratch[gate];
    }

    /** W or RW. */
    private final class Matrix {
        private int inputs;
        private final Panels panels = new Panels(); // [input, gate and unit]
        private final Panels[] transposed = new Panels[GATES]; // [unit, input]

        Matrix() {
            Arrays.setAll(transposed, g -> new Panels());
        }

        void allocate(int inputs) {
            this.inputs = inputs;
            panels.allocate(inputs, GATES * shape.size);
            for (Panels gate : transposed) {
                gate.allocate(shape.size, inputs);
            }
        }

        void put(Memory weights, int gate) {
            int size = shape.size;
            int n = size * inputs;
            Transposition.Scratch arrays = scratch[gate].atLeast(n);
            Memory.get(weights.view(), (long) gate * n, arrays.from, n);
            transposed[gate].put(arrays.from, 0, inputs);
            Transposition.transpose(arrays.from, size, inputs, arrays.to, 0, size);
            panels.put(arrays.to, gate * size, size);
        }
    }
}
