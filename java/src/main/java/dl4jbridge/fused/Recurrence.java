package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.function.Function;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * One GravesLSTM over one segment, forward and back: the arithmetic of DL4J's LSTMHelpers without its small calls.
 *
 * <p>The batch is cut into parts, one a thread; each {@link Part} walks through time by itself, a chunk of steps after
 * the other, and makes the products over time of a chunk while that lies in the cache. What forward leaves for backward
 * stays here until the next forward.
 *
 * <p>Gates, as in DL4J's weights: block input, forget, output, input. Peepholes: forget, output, input.
 */
final class Recurrence {
    private static final int GATES = 4;
    /** With fewer rows than this, laying the weights out anew costs more than it saves. */
    private static final int FEW_ROWS = 64;
    /**
     * Chunks pay while a weight gradient of so many floats, which each of them reads and writes, stays in the
     * second-level cache beside it. Larger layers take the whole segment as one.
     */
    private static final int CACHED_GRADIENT = 220_000;

    /** Of the parts; the layers of a network use them one after the other. */
    private static final ThreadLocal<Scratch[]> SCRATCH = ThreadLocal.withInitial(() -> new Scratch[0]);

    private final PointwiseMath math;
    private final OneHot oneHot = new OneHot();
    private int batch;
    private int steps;
    private int inputs;
    private int size;
    private Part[] parts = new Part[0];

    private Memory recurrentRows; // [gate, from unit, to unit]
    private Memory inputColumns; // [gate, input, unit]
    private Memory inputScratch;
    private Memory epsilonScratch;
    private final Transposition.Scratch[] turning = new Transposition.Scratch[GATES];
    private float[] inputRows = new float[0]; // [class, gate, unit] with the bias: rows to gather
    private int[] classes; // of the input, null if it is not one-hot
    private Memory denseInput; // [step, batch, input] of the last forward, null if its input is one-hot
    private float[] mask; // [step, batch] or null

    Recurrence(PointwiseMath math) {
        this.math = math;
        Arrays.setAll(turning, g -> new Transposition.Scratch());
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
        denseInput = null;
        if (classes == null) {
            inputScratch = Sequence.scratch(x, inputScratch);
            denseInput = Sequence.rows(x, inputScratch);
        }
        begin(h0, c0);
        if (manyRows) {
            layOut(weights);
        }
        Memory to = outputs == null ? null : Memory.of(outputs);
        Scratch[] scratch = scratch();
        Workers.run(parts.length, p -> parts[p].forward(weights, manyRows, to, scratch[p]));
        weights.keep();
        if (denseInput != null) {
            denseInput.keep();
        }
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
        recurrentRows = Memory.atLeast(recurrentRows, (long) GATES * size * size);
        parts = new Part[threads];
        for (int p = 0; p < threads; p++) {
            parts[p] = new Part(Workers.border(batch, p, threads), Workers.border(batch, p + 1, threads));
        }
    }

    private Scratch[] scratch() {
        Scratch[] held = SCRATCH.get();
        if (held.length < parts.length) {
            int before = held.length;
            held = Arrays.copyOf(held, parts.length);
            for (int p = before; p < held.length; p++) {
                held[p] = new Scratch();
            }
            SCRATCH.set(held);
        }
        return held;
    }

    private void begin(INDArray h0, INDArray c0) {
        float[] units = rows(h0);
        float[] cells = rows(c0);
        for (Part part : parts) {
            part.hidden.view().put(units, part.from * size, part.length);
            System.arraycopy(cells, part.from * size, part.cell[0], 0, part.length);
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
    private void layOut(Weights weights) {
        if (classes == null) {
            inputColumns = Memory.atLeast(inputColumns, (long) GATES * inputs * size);
        } else if (inputRows.length < inputs * GATES * size) {
            inputRows = new float[inputs * GATES * size];
        }
        Workers.run(GATES, g -> {
            layOut(weights.recurrent, g, size, recurrentRows);
            if (classes == null) {
                layOut(weights.input, g, inputs, inputColumns);
            } else {
                layOutInputRows(weights, g);
            }
        });
    }

    private void layOut(Memory weights, int gate, int columns, Memory to) {
        int n = size * columns;
        Transposition.transpose(
                weights.view(), gate * n, size, columns, to.view(), turning[gate].atLeast(n));
    }

    private void layOutInputRows(Weights weights, int gate) {
        int n = size * inputs;
        float[] columns = turning[gate].atLeast(n).from;
        Memory.get(weights.input.view(), (long) gate * n, columns, n);
        float[] bias = new float[size];
        Memory.get(weights.bias.view(), (long) gate * size, bias, size);
        for (int j = 0; j < size; j++) {
            for (int i = j * inputs; i < (j + 1) * inputs; i++) {
                columns[i] += bias[j];
            }
        }
        Transposition.transpose(columns, size, inputs, inputRows, gate * size, GATES * size);
    }

    /** The output of the last step, [batch, size]. */
    INDArray lastHidden() {
        INDArray last = state();
        Memory to = Memory.of(last);
        FloatBuffer view = to.view();
        for (Part part : parts) {
            Memory.copy(part.hidden.view(), (long) steps * part.length, view, (long) part.from * size, part.length);
        }
        to.keep();
        return last;
    }

    /** The memory cells after the last step, [batch, size]. */
    INDArray lastCell() {
        INDArray last = state();
        Memory to = Memory.of(last);
        FloatBuffer view = to.view();
        for (Part part : parts) {
            view.put(part.cell[steps], 0, part.length);
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
        Memory inputErrors = inputGradient == null ? null : Memory.of(inputGradient);
        Scratch[] scratch = scratch();
        Workers.run(parts.length, p -> {
            // The first part adds up where the sum is wanted.
            Memory recurrentSum = p == 0 ? gradients.recurrent : scratch[p].recurrentSum(size);
            Memory inputSum = p == 0 || classes != null ? gradients.input : scratch[p].inputSum(size, inputs);
            parts[p].backward(errors, weights, recurrentSum, inputSum, inputErrors, exactMask, scratch[p]);
        });
        sumParts(gradients, scratch);
        errors.keep();
        weights.keep();
        gradients.keep();
        if (denseInput != null) {
            denseInput.keep();
        }
        if (inputErrors != null) {
            inputErrors.keep();
        }
    }

    private void sumParts(Weights gradients, Scratch[] scratch) {
        Workers.run(GATES, g -> {
            if (classes != null) {
                sumClasses(g, gradients, scratch);
            }
            for (int p = 1; p < parts.length; p++) {
                long n = (long) size * size;
                gradients.recurrent.add(scratch[p].recurrentSum, g * n, n);
                if (classes == null) {
                    n = (long) size * inputs;
                    gradients.input.add(scratch[p].inputSum, g * n, n);
                }
            }
        });
        biasAndPeepholeGradients(gradients);
    }

    /** The input weights' gradient for one-hot input: the sum of a gate's deltas at each class. */
    private void sumClasses(int gate, Weights gradients, Scratch[] scratch) {
        int n = inputs * size;
        float[] sums = turning[gate].atLeast(n).from;
        float[] columns = turning[gate].to;
        float[] bias = new float[size];
        for (int k = 0; k < inputs; k++) {
            float[] sum = scratch[0].classSums[gate][k];
            for (int p = 1; p < parts.length; p++) {
                PointwiseMath.add(scratch[p].classSums[gate][k], sum, size);
            }
            PointwiseMath.add(sum, bias, size);
            System.arraycopy(sum, 0, sums, k * size, size);
        }
        Transposition.transpose(sums, inputs, size, columns, 0, inputs);
        Memory.put(gradients.input.view(), (long) gate * n, columns, n);
        Memory.put(gradients.bias.view(), (long) gate * size, bias, size);
    }

    private void biasAndPeepholeGradients(Weights gradients) {
        for (int g = 0; classes == null && g < GATES; g++) {
            putUnits(g, part -> part.biasSum, gradients.bias, 0);
        }
        for (int k = 0; k < 3; k++) {
            putUnits(k, part -> part.peepholeSum, gradients.recurrent, (long) GATES * size * size);
        }
    }

    private void putUnits(int vector, Function<Part, float[][]> sums, Memory gradient, long at) {
        float[] units = new float[size];
        for (Part part : parts) {
            part.addUnits(sums.apply(part)[vector], units);
        }
        Memory.put(gradient.view(), at + (long) vector * size, units, size);
    }

    /** Working memory of one part. */
    private static final class Scratch {
        Memory gates; // [gate, step of a chunk, row of the part, unit]: pre-activations, or their gradients
        Memory input; // [step of a chunk, row of the part, input], or its gradients
        Memory oneStep; // [row of the part, unit]
        Memory recurrentSum; // of the weights' gradient, as it lies in DL4J
        Memory inputSum; // likewise
        final float[][][] classSums = new float[GATES][0][]; // [gate][class][unit]: the input weights' for one-hot input

        void hold(Part part, int inputs) {
            gates = Memory.atLeast(gates, (long) GATES * part.chunk * part.length);
            input = Memory.atLeast(input, (long) part.chunk * part.rows * inputs);
            oneStep = Memory.atLeast(oneStep, part.length);
        }

        Memory recurrentSum(int size) {
            recurrentSum = Memory.atLeast(recurrentSum, (long) GATES * size * size);
            return recurrentSum;
        }

        Memory inputSum(int size, int inputs) {
            inputSum = Memory.atLeast(inputSum, (long) GATES * size * inputs);
            return inputSum;
        }

        void clearClassSums(int classes, int size) {
            for (int g = 0; g < GATES; g++) {
                if (classSums[g].length != classes || classSums[g][0].length != size) {
                    classSums[g] = new float[classes][size];
                } else {
                    for (float[] sum : classSums[g]) {
                        Arrays.fill(sum, 0);
                    }
                }
            }
        }
    }

    /** A stretch of the batch, walked through time by one thread. */
    private final class Part {
        final int from;
        final int rows;
        final int length; // of a step
        final int chunk; // steps
        final Memory hidden; // [1 + step, row, unit]: the first is the state before the segment
        final float[][] cell; // [1 + step]: likewise
        final float[][][] gate; // [gate][step]: activations
        final float[] came; // through the input weights, one gate and step
        final float[] row; // one, alone: HotSpot makes vector instructions only of loops that begin at both arrays' start
        final float[] cellTanh; // one step
        final float[][] delta; // of each gate, one step
        final float[] h;
        final float[] error;
        final float[] dCell;
        final float[][] peephole; // forget, output, input: the same for each row
        final float[][] bias; // likewise
        final float[][] biasSum;
        final float[][] peepholeSum;

        Part(int from, int to) {
            this.from = from;
            rows = to - from;
            length = rows * size;
            boolean inChunks = Gemm.multipliesUnpacked && GATES * size * size <= CACHED_GRADIENT;
            chunk = inChunks ? Math.max(1, Math.min(steps, Gemm.CUBE / rows)) : steps;
            hidden = Memory.allocate((steps + 1L) * length);
            cell = new float[steps + 1][length];
            gate = new float[GATES][steps][length];
            came = new float[length];
            row = new float[size];
            cellTanh = new float[length];
            delta = new float[GATES][length];
            h = new float[length];
            error = new float[length];
            dCell = new float[length];
            peephole = new float[3][length];
            bias = new float[GATES][length];
            biasSum = new float[GATES][length];
            peepholeSum = new float[3][length];
        }

        /** Where the part's rows of a step begin in an array of [steps, batch, width]. */
        private long offset(int step, int width) {
            return ((long) step * batch + from) * width;
        }

        /** Where a step of a chunk begins in a gate's part of the scratch. */
        private long gateOffset(int gate, int step) {
            return ((long) gate * chunk + step) * length;
        }

        private long gateAddress(Scratch scratch, int gate, int step, int count) {
            return scratch.gates.at(gateOffset(gate, step), (long) count * length);
        }

        void forward(Weights weights, boolean laidOut, Memory outputs, Scratch scratch) {
            scratch.hold(this, inputs);
            FloatBuffer gateView = scratch.gates.view();
            FloatBuffer hiddenView = hidden.view();
            FloatBuffer outputView = outputs == null ? null : outputs.view();
            repeatVectors(weights);
            for (int t = 0; t < steps; t++) {
                int inChunk = classes != null ? 0 : t % chunk;
                if (classes == null && inChunk == 0) {
                    multiplyInput(t, Math.min(chunk, steps - t), weights, laidOut, scratch);
                }
                multiplyRecurrent(t, inChunk, weights, laidOut, scratch);
                for (int g = 0; g < GATES; g++) {
                    Memory.get(gateView, gateOffset(g, inChunk), gate[g][t], length);
                    addInput(g, t);
                }
                activate(t);
                Memory.put(hiddenView, (t + 1L) * length, h, length);
                if (outputView != null) {
                    Memory.put(outputView, offset(t, size), h, length);
                }
            }
        }

        private void activate(int t) {
            float[] block = gate[0][t];
            float[] forget = gate[1][t];
            float[] output = gate[2][t];
            float[] input = gate[3][t];
            float[] before = cell[t];
            math.tanh(block, block, length);
            math.sigmoid(forget, before, peephole[0], length);
            math.sigmoid(input, before, peephole[2], length);
            PointwiseMath.cell(forget, before, input, block, cell[t + 1], length);
            math.sigmoid(output, cell[t + 1], peephole[1], length);
            math.hidden(cell[t + 1], output, h, length);
            if (mask != null) {
                maskRows(h, t);
                maskRows(cell[t + 1], t);
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

        /** The part's rows of a chunk of the dense input, one after the other. */
        private long gatherInput(int first, int count, Scratch scratch) {
            int n = rows * inputs;
            FloatBuffer from = denseInput.view();
            FloatBuffer to = scratch.input.view();
            for (int t = 0; t < count; t++) {
                Memory.copy(from, offset(first + t, inputs), to, (long) t * n, n);
            }
            return scratch.input.at(0, (long) count * n);
        }

        /** The dense input's share of all gates in a chunk. */
        private void multiplyInput(int first, int count, Weights weights, boolean laidOut, Scratch scratch) {
            long x = gatherInput(first, count, scratch);
            long n = (long) size * inputs;
            for (int g = 0; g < GATES; g++) {
                long z = gateAddress(scratch, g, 0, count);
                if (laidOut) {
                    Gemm.fewRows(count * rows, size, inputs, x, inputs, inputColumns.at(g * n, n), 0f, z);
                } else {
                    Gemm.product(false, true, count * rows, size, inputs, x, inputs, weights.input.at(g * n, n), inputs,
                            0f, z, size);
                }
            }
        }

        /** Onto the dense input's share of the gates; that of one-hot input is added later. */
        private void multiplyRecurrent(int t, int inChunk, Weights weights, boolean laidOut, Scratch scratch) {
            long before = hidden.at((long) t * length, length);
            long n = (long) size * size;
            float beta = classes != null ? 0f : 1f;
            for (int g = 0; g < GATES; g++) {
                long z = gateAddress(scratch, g, inChunk, 1);
                if (laidOut) {
                    Gemm.fewRows(rows, size, size, before, size, recurrentRows.at(g * n, n), beta, z);
                } else {
                    Gemm.product(false, true, rows, size, size, before, size, weights.recurrent.at(g * n, n), size,
                            beta, z, size);
                }
            }
        }

        private void addInput(int g, int t) {
            if (classes != null) {
                for (int b = 0; b < rows; b++) {
                    System.arraycopy(
                            inputRows, (classes[t * batch + from + b] * GATES + g) * size, came, b * size, size);
                }
            }
            PointwiseMath.add(classes == null ? bias[g] : came, gate[g][t], length);
        }

        private void maskRows(float[] values, int t) {
            for (int b = 0; b < rows; b++) {
                float m = mask[t * batch + from + b];
                for (int j = b * size; j < (b + 1) * size; j++) {
                    values[j] *= m;
                }
            }
        }

        void backward(Memory errors, Weights weights, Memory recurrentSum, Memory inputSum, Memory inputErrors,
                boolean exactMask, Scratch scratch) {
            scratch.hold(this, inputs);
            clearSums(scratch);
            FloatBuffer errorView = errors.view();
            FloatBuffer gateView = scratch.gates.view();
            FloatBuffer oneStepView = scratch.oneStep.view();
            for (int first = (steps - 1) / chunk * chunk; first >= 0; first -= chunk) {
                int count = Math.min(chunk, steps - first);
                for (int t = first + count - 1; t >= first; t--) {
                    Memory.get(errorView, offset(t, size), error, length);
                    if (t < steps - 1) {
                        Memory.get(oneStepView, 0, h, length);
                        PointwiseMath.add(h, error, length);
                    }
                    gateDeltas(t, exactMask);
                    sumGradients(t, scratch);
                    for (int g = 0; g < GATES; g++) {
                        Memory.put(gateView, gateOffset(g, t - first), delta[g], length);
                    }
                    if (t > 0) {
                        multiplyBack(t - first, 1, weights.recurrent, size, scratch, scratch.oneStep);
                    }
                }
                float beta = first + count == steps ? 0f : 1f;
                multiplyOverTime(count, hidden.at((long) first * length, (long) count * length), size, beta,
                        recurrentSum, scratch);
                if (classes == null) {
                    multiplyOverTime(count, gatherInput(first, count, scratch), inputs, beta, inputSum, scratch);
                }
                if (inputErrors != null) {
                    multiplyBack(0, count, weights.input, inputs, scratch, scratch.input);
                    scatterInputErrors(first, count, scratch, inputErrors);
                }
            }
        }

        private void clearSums(Scratch scratch) {
            Arrays.fill(dCell, 0);
            for (float[] sum : biasSum) {
                Arrays.fill(sum, 0);
            }
            for (float[] sum : peepholeSum) {
                Arrays.fill(sum, 0);
            }
            if (classes != null) {
                scratch.clearClassSums(inputs, size);
            }
        }

        /** The deltas of some steps of a chunk through weights, which lie right for that in DL4J's order. */
        private void multiplyBack(int step, int count, Memory weights, int width, Scratch scratch, Memory into) {
            long n = (long) size * width;
            for (int g = 0; g < GATES; g++) {
                Gemm.fewRows(count * rows, width, size, gateAddress(scratch, g, step, count), size,
                        weights.at(g * n, n), g == 0 ? 0f : 1f, into.at(0, (long) count * rows * width));
            }
        }

        /** The deltas of a chunk times what came in, over batch and time. */
        private void multiplyOverTime(int count, long came, int width, float beta, Memory sum, Scratch scratch) {
            long n = (long) size * width;
            for (int g = 0; g < GATES; g++) {
                Gemm.overRows(size, width, count * rows, gateAddress(scratch, g, 0, count), came, beta, sum.at(g * n, n));
            }
        }

        private void scatterInputErrors(int first, int count, Scratch scratch, Memory inputErrors) {
            int n = rows * inputs;
            FloatBuffer from = scratch.input.view();
            FloatBuffer to = inputErrors.view();
            for (int t = 0; t < count; t++) {
                Memory.copy(from, (long) t * n, to, offset(first + t, inputs), n);
            }
        }

        private void gateDeltas(int t, boolean exactMask) {
            float[] block = gate[0][t];
            float[] forget = gate[1][t];
            float[] output = gate[2][t];
            float[] input = gate[3][t];
            float[] before = cell[t];
            if (mask != null && exactMask) {
                maskRows(error, t);
                maskRows(dCell, t);
            }
            math.tanh(cell[t + 1], cellTanh, length);
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

        private void sumGradients(int t, Scratch scratch) {
            float[] before = cell[t];
            for (int g = 0; g < GATES; g++) {
                if (classes == null) {
                    PointwiseMath.add(delta[g], biasSum[g], length);
                    continue;
                }
                for (int b = 0; b < rows; b++) {
                    System.arraycopy(delta[g], b * size, row, 0, size);
                    PointwiseMath.add(row, scratch.classSums[g][classes[t * batch + from + b]], size);
                }
            }
            PointwiseMath.addProduct(delta[1], before, peepholeSum[0], length);
            PointwiseMath.addProduct(delta[2], cell[t + 1], peepholeSum[1], length);
            PointwiseMath.addProduct(delta[3], before, peepholeSum[2], length);
        }

        void addUnits(float[] sums, float[] units) {
            for (int b = 0; b < rows; b++) {
                System.arraycopy(sums, b * size, row, 0, size);
                PointwiseMath.add(row, units, size);
            }
        }
    }
}
