package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * One GravesLSTM over one segment, forward and back: the arithmetic of DL4J's LSTMHelpers without its small calls.
 *
 * <p>All sequences lie as {@link Sequence} says, each gate in a block of its own, so that the products over all time
 * steps are single calls and the point-wise loops run over flat arrays. The batch is cut into parts, one a thread; each
 * part walks through time by itself. What forward leaves for backward stays here until the next forward.
 *
 * <p>Gates, as in DL4J's weights: block input, forget, output, input. Peepholes: forget, output, input.
 */
final class Recurrence {
    private static final int GATES = 4;
    /** With fewer rows than this, laying the weights out anew costs more than it saves. */
    private static final int FEW_ROWS = 64;

    /** Gradients of the pre-activations, [step, batch, gate, unit]; alive within a backward pass only. */
    private static final ThreadLocal<Memory> DELTAS = new ThreadLocal<>();

    private final PointwiseMath math;
    private final OneHot oneHot = new OneHot();
    private int batch;
    private int steps;
    private int inputs;
    private int size;
    private Part[] parts = new Part[0];

    private Memory gates; // [gate, step, batch, unit]: pre-activations, then activations
    private Memory hidden; // [1 + step, batch, unit]: the first is the state before the segment
    private Memory recurrentRows; // [gate, from unit, to unit]
    private Memory inputScratch;
    private Memory epsilonScratch;
    private final Transposition.Scratch[] scratch = new Transposition.Scratch[GATES];
    private float[] inputRows = new float[0]; // [class, gate, unit] with the bias: rows to gather
    private int[] classes; // of the input, null if it is not one-hot
    private Memory denseInput; // [step, batch, input] of the last forward, null if its input is one-hot
    private float[] mask; // [step, batch] or null

    Recurrence(PointwiseMath math) {
        this.math = math;
        Arrays.setAll(scratch, g -> new Transposition.Scratch());
    }

    /** DL4J's parameters (or gradients) of a layer: W [nIn, 4H], RW [H, 4H + 3], b [1, 4H], 'f' order. */
    static final class Weights {
        final Memory input;
        final Memory recurrent;
        final Memory bias;

        Weights(INDArray input, INDArray recurrent, INDArray bias) {
            this.input = fortran(input);
            this.recurrent = fortran(recurrent);
            this.bias = fortran(bias);
        }

        private static Memory fortran(INDArray a) {
            if (a.rank() == 1) {
                return Memory.of(a);
            }
            boolean isFortran = (a.size(0) == 1 || a.stride(0) == 1) && (a.size(1) == 1 || a.stride(1) == a.size(0));
            return Memory.of(isFortran ? a : a.dup('f'));
        }

        void keep() {
            input.keep();
            recurrent.keep();
            bias.keep();
        }
    }

    /**
     * @param x       [batch, inputs, steps]
     * @param mask    [batch, steps] of 0 and 1, or null
     * @param h0,c0   [batch, size], or null for zeros
     * @param outputs 'c' array [steps, batch, size] to fill, or null
     */
    void forward(INDArray x, INDArray mask, INDArray h0, INDArray c0, Weights weights, int size, INDArray outputs) {
        shape((int) x.size(0), (int) x.size(1), (int) x.size(2), size);
        this.mask = mask == null ? null : floats(mask.castTo(x.dataType()).dup('f'));
        boolean manyRows = batch * steps >= FEW_ROWS;
        classes = manyRows ? oneHot.read(x) : null;
        begin(h0, c0);
        layOut(weights, manyRows);
        denseInput = null;
        if (classes == null) {
            inputScratch = Sequence.scratch(x, inputScratch);
            denseInput = Sequence.rows(x, inputScratch);
            multiplyInput(weights);
        }
        Memory to = outputs == null ? null : Memory.of(outputs);
        Workers.run(parts.length, p -> parts[p].forward(weights, manyRows, to));
        weights.keep();
        if (to != null) {
            to.keep();
        }
    }

    private void shape(int batch, int inputs, int steps, int size) {
        int threads = Math.min(Workers.threads(), batch);
        if (batch == this.batch && steps == this.steps && inputs == this.inputs && size == this.size
                && threads == parts.length) {
            return;
        }
        this.batch = batch;
        this.inputs = inputs;
        this.steps = steps;
        this.size = size;
        gates = Memory.atLeast(gates, (long) GATES * steps * batch * size);
        hidden = Memory.atLeast(hidden, (steps + 1L) * batch * size);
        recurrentRows = Memory.atLeast(recurrentRows, (long) GATES * size * size);
        parts = new Part[threads];
        for (int p = 0; p < threads; p++) {
            parts[p] = new Part(Workers.border(batch, p, threads), Workers.border(batch, p + 1, threads));
        }
    }

    private void begin(INDArray h0, INDArray c0) {
        hidden.view().put(rows(h0));
        float[] cells = rows(c0);
        for (Part part : parts) {
            System.arraycopy(cells, part.from * size, part.firstCell, 0, part.length);
        }
    }

    private static float[] floats(INDArray dense) {
        float[] values = new float[(int) dense.length()];
        Memory from = Memory.of(dense);
        from.view().get(values);
        from.keep();
        return values;
    }

    /** A state, row after row. */
    private float[] rows(INDArray state) {
        if (state == null) {
            return new float[batch * size];
        }
        boolean isRows = state.size(1) == 1 || state.stride(1) == 1;
        return floats(isRows && Memory.isDense(state) ? state : state.dup('c'));
    }

    /** The weights as the time loop reads them: each row one stretch. */
    private void layOut(Weights weights, boolean manyRows) {
        if (!manyRows) {
            return;
        }
        if (classes != null && inputRows.length < inputs * GATES * size) {
            inputRows = new float[inputs * GATES * size];
        }
        Workers.run(GATES, g -> {
            Transposition.transpose(weights.recurrent.view(), g * size * size, size, size, recurrentRows.view(),
                    scratch[g].atLeast(size * size));
            if (classes != null) {
                layOutInputRows(weights, g);
            }
        });
    }

    private void layOutInputRows(Weights weights, int gate) {
        int n = size * inputs;
        float[] columns = scratch[gate].atLeast(n).from;
        Memory.get(weights.input.view(), (long) gate * n, columns, n);
        float[] bias = new float[size];
        Memory.get(weights.bias.view(), (long) gate * size, bias, size);
        for (int j = 0; j < size; j++) {
            for (int k = j * inputs; k < (j + 1) * inputs; k++) {
                columns[k] += bias[j];
            }
        }
        Transposition.transpose(columns, size, inputs, inputRows, gate * size, GATES * size);
    }

    /** The input's share of all gates at all time steps. */
    private void multiplyInput(Weights weights) {
        int chunks = Math.min(steps, Workers.threads());
        Workers.run(chunks, chunk -> {
            int first = Workers.border(steps, chunk, chunks) * batch;
            int count = Workers.border(steps, chunk + 1, chunks) * batch - first;
            for (int g = 0; g < GATES; g++) {
                Gemm.product(false, true, count, size, inputs,
                        denseInput.at((long) first * inputs, (long) count * inputs), inputs,
                        weights.input.at((long) g * size * inputs, (long) size * inputs), inputs,
                        0f, gates.at(gateAt(g, 0) + (long) first * size, (long) count * size), size);
            }
        });
        denseInput.keep();
    }

    private long gateAt(int gate, int step) {
        return ((long) gate * steps + step) * batch * size;
    }

    /** The output of the last step, [batch, size]. */
    INDArray lastHidden() {
        INDArray last = state();
        Memory to = Memory.of(last);
        FloatBuffer from = hidden.view();
        from.position(steps * batch * size);
        from.limit((steps + 1) * batch * size);
        to.view().put(from);
        to.keep();
        return last;
    }

    /** The memory cells after the last step, [batch, size]. */
    INDArray lastCell() {
        INDArray last = state();
        Memory to = Memory.of(last);
        FloatBuffer view = to.view();
        for (Part part : parts) {
            view.put(part.cell[steps - 1], 0, part.length);
        }
        to.keep();
        return last;
    }

    /** A new array, since others may hold the last one. */
    private INDArray state() {
        return Nd4j.createUninitializedDetached(DataType.FLOAT, 'c', batch, size);
    }

    /**
     * The gradients of what the last forward computed.
     *
     * @param epsilon       [batch, size, steps], gradient of the outputs; left as it is
     * @param inputGradient 'c' array [steps, batch, inputs] to fill, or null
     * @param exactMask     true follows the masked forward pass; false passes the memory cell's gradient through masked
     *                      steps, as stock DL4J does
     */
    void backward(INDArray epsilon, Weights weights, Weights gradients, INDArray inputGradient, boolean exactMask) {
        epsilonScratch = Sequence.scratch(epsilon, epsilonScratch);
        Memory errors = Sequence.rows(epsilon, epsilonScratch);
        Memory deltas = Memory.atLeast(DELTAS.get(), (long) GATES * steps * batch * size);
        DELTAS.set(deltas);
        Workers.run(parts.length, p -> parts[p].backward(errors, deltas, weights, exactMask));
        Memory inputErrors = inputGradient == null ? null : Memory.of(inputGradient);
        int chunks = inputErrors == null ? 0 : Math.min(steps, 2 * Workers.threads());
        int shares = Workers.threads();
        int scatters = classes == null ? 0 : GATES;
        Workers.run(shares + scatters + chunks, task -> {
            if (task < shares) {
                weightGradients(task, shares, deltas, gradients);
            } else if (task < shares + scatters) {
                scatterInputRows(task - shares, deltas, gradients);
            } else {
                inputErrors(task - shares - scatters, chunks, deltas, weights, inputErrors);
            }
        });
        biasAndPeepholeGradients(gradients);
        errors.keep();
        deltas.keep();
        weights.keep();
        gradients.keep();
        if (denseInput != null) {
            denseInput.keep();
        }
        if (inputErrors != null) {
            inputErrors.keep();
        }
    }

    /** Products of the deltas with what came in, over batch and time, for a share of all gates' units. */
    private void weightGradients(int share, int shares, Memory deltas, Weights gradients) {
        int all = steps * batch;
        int width = GATES * size;
        int first = Workers.border(width, share, shares);
        int count = Workers.border(width, share + 1, shares) - first;
        long left = deltas.at(first, (long) all * width - first);
        Gemm.product(true, false, count, size, all, left, width, hidden.at(0, (long) all * size), size,
                0f, gradients.recurrent.at((long) first * size, (long) count * size), size);
        if (denseInput != null) {
            Gemm.product(true, false, count, inputs, all, left, width, denseInput.at(0, (long) all * inputs), inputs,
                    0f, gradients.input.at((long) first * inputs, (long) count * inputs), inputs);
        }
    }

    /** The input weights' gradient for one-hot input: the sum of a gate's deltas at each class. */
    private void scatterInputRows(int gate, Memory deltas, Weights gradients) {
        int n = inputs * size;
        float[] sums = scratch[gate].atLeast(n).from;
        Arrays.fill(sums, 0, n, 0);
        float[] delta = new float[size];
        FloatBuffer view = deltas.view();
        for (int i = 0; i < steps * batch; i++) {
            Memory.get(view, ((long) i * GATES + gate) * size, delta, size);
            addRow(delta, 0, sums, classes[i] * size, size);
        }
        float[] columns = scratch[gate].to;
        Transposition.transpose(sums, inputs, size, columns, 0, inputs);
        Memory.put(gradients.input.view(), (long) gate * n, columns, n);
    }

    private static void addRow(float[] from, int at, float[] to, int toAt, int n) {
        for (int i = 0; i < n; i++) {
            to[toAt + i] += from[at + i];
        }
    }

    private void inputErrors(int chunk, int chunks, Memory deltas, Weights weights, Memory inputErrors) {
        int first = Workers.border(steps, chunk, chunks) * batch;
        int count = Workers.border(steps, chunk + 1, chunks) * batch - first;
        int width = GATES * size;
        Gemm.product(false, false, count, inputs, width,
                deltas.at((long) first * width, (long) count * width), width,
                weights.input.at(0, (long) width * inputs), inputs,
                0f, inputErrors.at((long) first * inputs, (long) count * inputs), inputs);
    }

    private void biasAndPeepholeGradients(Weights gradients) {
        float[] bias = new float[GATES * size];
        float[][] peepholes = new float[3][size];
        for (Part part : parts) {
            for (int g = 0; g < GATES; g++) {
                part.addUnits(part.biasSum[g], bias, g * size);
            }
            for (int k = 0; k < 3; k++) {
                part.addUnits(part.peepholeSum[k], peepholes[k], 0);
            }
        }
        gradients.bias.view().put(bias);
        FloatBuffer view = gradients.recurrent.view();
        view.position(GATES * size * size);
        for (float[] peephole : peepholes) {
            view.put(peephole);
        }
    }

    /** A stretch of the batch, walked through time by one thread. */
    private final class Part {
        final int from;
        final int rows;
        final int length;
        final float[] firstCell;
        final float[] block;
        final float[] forget;
        final float[] output;
        final float[] input;
        final float[][] cell;
        final float[] cellTanh; // one step
        final float[][] delta; // of each gate, one step
        final float[] h;
        final float[] error;
        final float[] dCell;
        final float[][] peephole; // forget, output, input: the same for each row
        final float[][] bias; // likewise
        final float[][] biasSum;
        final float[][] peepholeSum;
        final FloatBuffer gateView = gates.view();
        final FloatBuffer hiddenView = hidden.view();
        final Memory oneStep; // of all gates
        final FloatBuffer oneStepView;

        Part(int from, int to) {
            this.from = from;
            rows = to - from;
            length = rows * size;
            firstCell = new float[length];
            block = new float[length];
            forget = new float[length];
            output = new float[length];
            input = new float[length];
            cell = new float[steps][length];
            cellTanh = new float[length];
            delta = new float[GATES][length];
            h = new float[length];
            error = new float[length];
            dCell = new float[length];
            peephole = new float[3][length];
            bias = new float[GATES][length];
            biasSum = new float[GATES][length];
            peepholeSum = new float[3][length];
            oneStep = Memory.allocate((long) GATES * length);
            oneStepView = oneStep.view();
        }

        private long offset(int step) {
            return ((long) step * batch + from) * size;
        }

        void forward(Weights weights, boolean laidOut, Memory outputs) {
            FloatBuffer outputView = outputs == null ? null : outputs.view();
            repeatVectors(weights);
            for (int t = 0; t < steps; t++) {
                multiplyRecurrent(t, weights, laidOut);
                readInputs(0, t, block);
                readInputs(1, t, forget);
                readInputs(2, t, output);
                readInputs(3, t, input);
                float[] before = t == 0 ? firstCell : cell[t - 1];
                math.tanh(block, block, length);
                math.sigmoid(forget, before, peephole[0], length);
                math.sigmoid(input, before, peephole[2], length);
                PointwiseMath.cell(forget, before, input, block, cell[t], length);
                math.sigmoid(output, cell[t], peephole[1], length);
                math.hidden(cell[t], output, h, length);
                if (mask != null) {
                    maskRows(h, t);
                    maskRows(cell[t], t);
                }
                write(0, t, block);
                write(1, t, forget);
                write(2, t, output);
                write(3, t, input);
                Memory.put(hiddenView, offset(t + 1), h, length);
                if (outputView != null) {
                    Memory.put(outputView, offset(t), h, length);
                }
            }
        }

        private void repeatVectors(Weights weights) {
            for (int k = 0; k < 3; k++) {
                repeat(weights.recurrent, (GATES * size + k) * size, peephole[k]);
            }
            for (int g = 0; g < GATES; g++) {
                repeat(weights.bias, g * size, bias[g]);
            }
        }

        private void repeat(Memory memory, int at, float[] into) {
            FloatBuffer view = memory.view();
            for (int b = 0; b < rows; b++) {
                view.position(at);
                view.get(into, b * size, size);
            }
        }

        /** Onto the input's share of the gates; of one-hot input, which is added later, into a buffer of one step. */
        private void multiplyRecurrent(int t, Weights weights, boolean laidOut) {
            long h = hidden.at(offset(t), length);
            long square = (long) size * size;
            for (int g = 0; g < GATES; g++) {
                long z = classes != null ? oneStep.at((long) g * length, length)
                        : gates.at(gateAt(g, 0) + offset(t), length);
                float beta = classes != null ? 0f : 1f;
                if (laidOut) {
                    Gemm.fewRows(rows, size, size, h, size, recurrentRows.at(g * square, square), beta, z);
                } else {
                    Gemm.product(false, true, rows, size, size, h, size, weights.recurrent.at(g * square, square),
                            size, beta, z, size);
                }
            }
        }

        private void read(int gate, int t, float[] into) {
            Memory.get(gateView, gateAt(gate, 0) + offset(t), into, length);
        }

        private void write(int gate, int t, float[] values) {
            Memory.put(gateView, gateAt(gate, 0) + offset(t), values, length);
        }

        /** The pre-activations of a gate at a step. */
        private void readInputs(int gate, int t, float[] into) {
            if (classes == null) {
                read(gate, t, into);
                PointwiseMath.add(bias[gate], into, length);
                return;
            }
            Memory.get(oneStepView, (long) gate * length, into, length);
            for (int b = 0; b < rows; b++) {
                addRow(inputRows, (classes[t * batch + from + b] * GATES + gate) * size, into, b * size, size);
            }
        }

        private void maskRows(float[] values, int t) {
            for (int b = 0; b < rows; b++) {
                float m = mask[t * batch + from + b];
                for (int j = b * size; j < (b + 1) * size; j++) {
                    values[j] *= m;
                }
            }
        }

        void backward(Memory errors, Memory deltas, Weights weights, boolean exactMask) {
            FloatBuffer errorView = errors.view();
            FloatBuffer deltaView = deltas.view();
            Arrays.fill(dCell, 0);
            for (float[] sum : biasSum) {
                Arrays.fill(sum, 0);
            }
            for (float[] sum : peepholeSum) {
                Arrays.fill(sum, 0);
            }
            for (int t = steps - 1; t >= 0; t--) {
                Memory.get(errorView, offset(t), error, length);
                if (t < steps - 1) {
                    multiplyBack(t + 1, deltas, weights);
                    Memory.get(oneStepView, 0, h, length);
                    PointwiseMath.add(h, error, length);
                }
                read(0, t, block);
                read(1, t, forget);
                read(2, t, output);
                read(3, t, input);
                gateDeltas(t, exactMask);
                sumGradients(t);
                writeDeltas(t, deltaView);
            }
        }

        /** The deltas of step t through the recurrent weights, which lie right for that in DL4J's order. */
        private void multiplyBack(int t, Memory deltas, Weights weights) {
            int width = GATES * size;
            Gemm.fewRows(rows, size, width, deltas.at(GATES * offset(t), (long) GATES * length), width,
                    weights.recurrent.at(0, (long) width * size), 0f, oneStep.at(0, length));
        }

        /** Into [step, batch, gate, unit]: the deltas of a sample are one row of the products to come. */
        private void writeDeltas(int t, FloatBuffer view) {
            for (int b = 0; b < rows; b++) {
                view.position((int) (GATES * (offset(t) + (long) b * size)));
                for (float[] d : delta) {
                    view.put(d, b * size, size);
                }
            }
        }

        private void gateDeltas(int t, boolean exactMask) {
            float[] before = t == 0 ? firstCell : cell[t - 1];
            if (mask != null && exactMask) {
                maskRows(error, t);
                maskRows(dCell, t);
            }
            math.tanh(cell[t], cellTanh, length);
            float[] unmaskedTanh = cellTanh;
            if (mask != null && !exactMask) {
                // Stock takes the slope of tanh at the masked cell, and its value at the cell before the mask.
                unmaskedTanh = new float[length];
                PointwiseMath.cell(forget, before, input, block, unmaskedTanh, length);
                math.tanh(unmaskedTanh, unmaskedTanh, length);
            }
            PointwiseMath.outputGateBackward(
                    error, output, unmaskedTanh, cellTanh, peephole[1], delta[2], dCell, length);
            PointwiseMath.gateBackward(dCell, before, forget, delta[1], length);
            PointwiseMath.gateBackward(dCell, block, input, delta[3], length);
            PointwiseMath.blockInputBackward(dCell, input, block, delta[0], length);
            if (mask != null && !exactMask) {
                for (float[] d : delta) {
                    maskRows(d, t);
                }
            }
            PointwiseMath.cellBackward(dCell, forget, delta[1], peephole[0], delta[3], peephole[2], length);
        }

        private void sumGradients(int t) {
            float[] before = t == 0 ? firstCell : cell[t - 1];
            for (int g = 0; g < GATES; g++) {
                PointwiseMath.add(delta[g], biasSum[g], length);
            }
            PointwiseMath.addProduct(delta[1], before, peepholeSum[0], length);
            PointwiseMath.addProduct(delta[2], cell[t], peepholeSum[1], length);
            PointwiseMath.addProduct(delta[3], before, peepholeSum[2], length);
        }

        void addUnits(float[] sums, float[] units, int at) {
            for (int b = 0; b < rows; b++) {
                addRow(sums, b * size, units, at, size);
            }
        }
    }
}
