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
    static final int GATES = 4;
    private static final int PEEPHOLES = 3;
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

    private boolean manyRows;
    private int unitPitch; // from row to row, in memory that products read and write: of units,
    private int inputPitch; // of inputs,
    private int gatePitch; // and of all gates, one beside the other
    private final Layout recurrentLayout = new Layout();
    private final Layout inputLayout = new Layout();
    private Memory inputScratch;
    private Memory epsilonScratch;
    private final Transposition.Scratch[] turning = new Transposition.Scratch[GATES];
    private float[] inputRows = new float[0]; // [class, gate and unit] with the bias: rows to gather
    private int[] classes; // of the input, null if it is not one-hot
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
        begin(x, h0, c0, size);
        this.mask = mask == null ? null : floats(mask.castTo(x.dataType()).dup('f'));
        if (manyRows) {
            Workers.run(GATES, g -> layOut(weights, g));
        }
        Memory to = outputs == null ? null : Memory.of(outputs);
        Scratch[] scratch = scratch(parts.length);
        Workers.run(parts.length, p -> forwardPart(p, weights, to == null ? null : parts[p].of(to, size), scratch[p]));
        weights.keep();
        keepInput();
        if (to != null) {
            to.keep();
        }
    }

    /** Takes in what a forward pass starts from; then {@link #layOut} for each gate, then {@link #forwardPart}. */
    void begin(INDArray x, INDArray h0, INDArray c0, int size) {
        shape((int) x.size(0), (int) x.size(1), (int) x.size(2), size);
        classes = manyRows ? oneHot.read(x) : null;
        Memory dense = null;
        if (classes == null) {
            inputScratch = Sequence.scratch(x, inputScratch);
            dense = Sequence.rows(x, inputScratch);
        }
        for (Part part : parts) {
            part.input = dense == null ? null : part.of(dense, inputs);
        }
        begin(h0, c0);
    }

    /** The same with the outputs of a layer below, part for part, as input; they need not be there yet. */
    void begin(Recurrence below, INDArray h0, INDArray c0, int size) {
        shape(below.batch, below.size, below.steps, size);
        classes = null;
        for (int p = 0; p < parts.length; p++) {
            parts[p].input = below.outputs(p);
        }
        begin(h0, c0);
    }

    /** What a part's forward pass leaves: its own outputs, [steps, rows, size]. */
    Rows outputs(int part) {
        Part p = parts[part];
        return Rows.packed(p.hidden, (long) p.rows * unitPitch, p.rows, size, unitPitch);
    }

    /** Where the gradient of {@link #outputs} may be put, likewise laid. */
    Rows outputErrors(int part) {
        Part p = parts[part];
        p.errors = Memory.atLeast(p.errors, (long) steps * p.rows * unitPitch);
        return Rows.packed(p.errors, 0, p.rows, size, unitPitch);
    }

    int parts() {
        return parts.length;
    }

    int batch() {
        return batch;
    }

    void keepInput() {
        for (Part part : parts) {
            if (part.input != null) {
                part.input.keep();
            }
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
        manyRows = batch * steps >= FEW_ROWS;
        unitPitch = manyRows ? Gemm.columns(size) : size;
        inputPitch = manyRows ? Gemm.columns(inputs) : inputs;
        gatePitch = manyRows ? Gemm.columns(GATES * size) : GATES * size;
        parts = new Part[threads];
        for (int p = 0; p < threads; p++) {
            parts[p] = new Part(Workers.border(batch, p, threads), Workers.border(batch, p + 1, threads));
        }
    }

    /** Of the calling thread, for its helpers to use: two networks in training have each their own. */
    static Scratch[] scratch(int parts) {
        Scratch[] held = SCRATCH.get();
        if (held.length < parts) {
            int before = held.length;
            held = Arrays.copyOf(held, parts);
            for (int p = before; p < held.length; p++) {
                held[p] = new Scratch();
            }
            SCRATCH.set(held);
        }
        return held;
    }

    private void begin(INDArray h0, INDArray c0) {
        mask = null;
        if (manyRows) {
            recurrentLayout.hold(size);
        }
        if (manyRows && classes == null) {
            inputLayout.hold(inputs);
        } else if (classes != null && inputRows.length < inputs * gatePitch) {
            inputRows = new float[inputs * gatePitch];
        }
        float[] units = rows(h0);
        float[] cells = rows(c0);
        for (Part part : parts) {
            System.arraycopy(units, part.from * size, part.h, 0, part.length);
            Memory.putRows(part.hidden.view(), 0, unitPitch, part.h, part.rows, size);
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

    /** A gate's weights as the time loop reads them: each row one stretch. */
    void layOut(Weights weights, int gate) {
        if (!manyRows) {
            return;
        }
        recurrentLayout.put(weights.recurrent, gate);
        if (classes == null) {
            inputLayout.put(weights.input, gate);
        } else {
            layOutInputRows(weights, gate);
        }
    }

    /** The weights of one kind as the products read them. */
    private final class Layout {
        private int inputs;
        private final Panels forth = new Panels(); // [input, gate and unit]
        private final Panels[] back = new Panels[GATES]; // [unit, input]

        Layout() {
            Arrays.setAll(back, g -> new Panels());
        }

        void hold(int inputs) {
            this.inputs = inputs;
            forth.hold(inputs, GATES * size);
            for (Panels gate : back) {
                gate.hold(size, inputs);
            }
        }

        void put(Memory weights, int gate) {
            int n = size * inputs;
            Transposition.Scratch scratch = turning[gate].atLeast(n);
            Memory.get(weights.view(), (long) gate * n, scratch.from, n);
            back[gate].put(scratch.from, 0, inputs);
            Transposition.transpose(scratch.from, size, inputs, scratch.to, 0, size);
            forth.put(scratch.to, gate * size, size);
        }

        /** z = beta z + all gates of some rows of inputs. */
        void multiply(int rows, long x, int pitch, float beta, long z, boolean fromLast) {
            forth.multiply(rows, x, pitch, beta, z, gatePitch, fromLast);
        }

        /** errors = beta errors + a gate's deltas back to the inputs. */
        void multiplyBack(int rows, int gate, long deltas, float beta, long errors, int pitch, boolean fromLast) {
            back[gate].multiply(rows, deltas, size, beta, errors, pitch, fromLast);
        }
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
        Transposition.transpose(columns, size, inputs, inputRows, gate * size, gatePitch);
    }

    /** The output of the last step, [batch, size]. */
    INDArray lastHidden() {
        INDArray last = state();
        Memory to = Memory.of(last);
        FloatBuffer view = to.view();
        for (int p = 0; p < parts.length; p++) {
            Part part = parts[p];
            outputs(p).get(steps - 1, part.h);
            Memory.put(view, (long) part.from * size, part.h, part.length);
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
        if (classes != null && inputGradient != null) {
            inputLayout.hold(inputs);
            Workers.run(GATES, g -> inputLayout.put(weights.input, g));
        }
        Scratch[] scratch = scratch(parts.length);
        Workers.run(parts.length, p -> {
            Part part = parts[p];
            Rows into = inputErrors == null ? null : part.of(inputErrors, inputs);
            part.backward(part.of(errors, size), weights, gradients, into, exactMask, scratch[p]);
        });
        Workers.run(GATES, g -> sumParts(g, gradients));
        errors.keep();
        weights.keep();
        gradients.keep();
        keepInput();
        if (inputErrors != null) {
            inputErrors.keep();
        }
    }

    /** A part's forward pass; its outputs go to {@link #outputs}, and to {@code copy} if there is one. */
    void forwardPart(int part, Weights weights, Rows copy, Scratch scratch) {
        parts[part].forward(weights, copy, scratch);
    }

    /** A part's share of the gradients; {@link #sumParts} for each gate makes them whole. */
    void backwardPart(int part, Rows errors, Weights weights, Weights gradients, Rows inputErrors, Scratch scratch) {
        parts[part].backward(errors, weights, gradients, inputErrors, true, scratch);
    }

    /** Adds up what the parts found out about a gate; returns the sum of the gradients' squares. */
    double sumParts(int gate, Weights gradients) {
        double squares = sumMatrices(gate, part -> part.recurrentSum, unitPitch, size, gradients.recurrent);
        SquareSum others = new SquareSum(size);
        if (classes != null) {
            sumClasses(gate, gradients, others);
        } else {
            squares += sumMatrices(gate, part -> part.inputSum, inputPitch, inputs, gradients.input);
            putUnits(gate, part -> part.biasSum, gradients.bias, 0, others);
        }
        if (gate < PEEPHOLES) {
            putUnits(gate, part -> part.peepholeSum, gradients.recurrent, (long) GATES * size * size, others);
        }
        return squares + others.total();
    }

    private double sumMatrices(int gate, Function<Part, Memory> sums, int pitch, int columns, Memory gradient) {
        Memory[] terms = Arrays.stream(parts).map(sums).toArray(Memory[]::new);
        return Memory.sumRows(terms, pitch, gate * size, size, columns, gradient);
    }

    /** The input weights' gradient for one-hot input: the sum of a gate's deltas at each class. */
    private void sumClasses(int gate, Weights gradients, SquareSum squares) {
        int n = inputs * size;
        float[] sums = turning[gate].atLeast(n).from;
        float[] columns = turning[gate].to;
        float[] bias = new float[size];
        for (int k = 0; k < inputs; k++) {
            float[] sum = parts[0].classSums[gate][k];
            for (int p = 1; p < parts.length; p++) {
                PointwiseMath.add(parts[p].classSums[gate][k], sum, size);
            }
            PointwiseMath.add(sum, bias, size);
            squares.add(sum, size);
            System.arraycopy(sum, 0, sums, k * size, size);
        }
        Transposition.transpose(sums, inputs, size, columns, 0, inputs);
        Memory.put(gradients.input.view(), (long) gate * n, columns, n);
        Memory.put(gradients.bias.view(), (long) gate * size, bias, size);
        squares.add(bias, size);
    }

    private void putUnits(int vector, Function<Part, float[][]> sums, Memory gradient, long at, SquareSum squares) {
        float[] units = new float[size];
        for (Part part : parts) {
            part.addUnits(sums.apply(part)[vector], units);
        }
        Memory.put(gradient.view(), at + (long) vector * size, units, size);
        squares.add(units, size);
    }

    /** Working memory of one part, for one layer after the other. */
    static final class Scratch {
        private Memory gates; // [step of a chunk, row of the part, gate and unit]: what goes into the activations
        private Memory deltas; // [gate, step of a chunk, row of the part, unit]: the gradients there
        private Memory input; // [step of a chunk, row of the part, input]
        private Memory inputErrors; // the gradients there
        private Memory oneStep; // [row of the part, unit]

        private void hold(Part part, int unitPitch, int inputPitch, int gatePitch) {
            int steps = part.longestChunk;
            long rows = (long) steps * part.rows;
            gates = Memory.atLeast(gates, rows * gatePitch);
            deltas = Memory.atLeast(deltas, (long) GATES * steps * part.length);
            input = Memory.atLeast(input, rows * inputPitch);
            inputErrors = Memory.atLeast(inputErrors, rows * inputPitch);
            oneStep = Memory.atLeast(oneStep, (long) part.rows * unitPitch);
        }
    }

    /** A stretch of the batch, walked through time by one thread. */
    private final class Part {
        final int from;
        final int to;
        final int rows;
        final int length; // of a step
        final int chunks; // of the backward pass
        final int longestChunk;
        final int forwardChunks;
        final Memory hidden; // [1 + step, row, unit]: the first is the state before the segment
        Rows input; // null if it is one-hot
        Memory errors; // see outputErrors
        Memory recurrentSum; // [gate and unit, unitPitch]: the weights' gradient
        Memory inputSum; // [gate and unit, inputPitch]
        float[][][] classSums = new float[GATES][0][]; // [gate][class][unit]: the input weights' for one-hot input
        final float[][] cell; // [1 + step]: likewise
        final float[][] z; // [gate]: what goes into the activations of one step
        final float[][][] gate; // [gate][step]: activations; far from the cache, so each is written once
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
            this.to = to;
            rows = to - from;
            length = rows * size;
            boolean inChunks = Gemm.multipliesUnpacked && GATES * size * size <= CACHED_GRADIENT;
            chunks = inChunks ? Gemm.chunks(steps, rows) : 1;
            longestChunk = Gemm.longest(steps, chunks);
            // What a chunk of the forward pass writes is wide, and it has one product only.
            forwardChunks = inChunks ? Gemm.chunks(steps, 2 * rows) : 1;
            hidden = Memory.allocate((steps + 1L) * rows * unitPitch);
            cell = new float[steps + 1][length];
            z = new float[GATES][length];
            gate = new float[GATES][steps][length];
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

        /** The part's share of an array of [steps, batch, width]. */
        private Rows of(Memory sequence, int width) {
            return Rows.of(sequence, batch, width, from, to);
        }

        /** Where a step of a chunk begins among the gates. */
        private long gateOffset(int step) {
            return (long) step * rows * gatePitch;
        }

        private long gateAddress(Scratch scratch, int step, int count) {
            return scratch.gates.at(gateOffset(step), gateOffset(count));
        }

        private long deltaOffset(int gate, int step) {
            return ((long) gate * longestChunk + step) * length;
        }

        private long deltaAddress(Scratch scratch, int gate, int step, int count) {
            return scratch.deltas.at(deltaOffset(gate, step), (long) count * length);
        }

        /** Address of the part's outputs from those before a step on. */
        private long hiddenAddress(int step, int count) {
            long n = (long) rows * unitPitch;
            return hidden.at(step * n, count * n);
        }

        void forward(Weights weights, Rows copy, Scratch scratch) {
            scratch.hold(this, unitPitch, inputPitch, gatePitch);
            FloatBuffer gateView = scratch.gates.view();
            Rows outputs = Rows.packed(hidden, (long) rows * unitPitch, rows, size, unitPitch);
            repeatVectors(weights);
            int first = 0; // of a chunk
            int chunk = 0;
            for (int t = 0; t < steps; t++) {
                if (classes != null) {
                    first = t;
                    gatherInputRows(t, gateView);
                } else if (t == Workers.border(steps, chunk, forwardChunks)) {
                    first = t;
                    chunk++;
                    multiplyInput(t, Workers.border(steps, chunk, forwardChunks) - t, weights, scratch);
                }
                int inChunk = t - first;
                multiplyRecurrent(t, inChunk, weights, scratch);
                for (int g = 0; g < GATES; g++) {
                    Memory.getRows(gateView, gateOffset(inChunk) + g * size, gatePitch, z[g], 0, rows, size);
                    if (classes == null) {
                        PointwiseMath.add(bias[g], z[g], length);
                    }
                }
                activate(t);
                outputs.put(t, h);
                if (copy != null) {
                    copy.put(t, h);
                }
            }
        }

        private void activate(int t) {
            float[] block = gate[0][t];
            float[] forget = gate[1][t];
            float[] output = gate[2][t];
            float[] input = gate[3][t];
            float[] before = cell[t];
            math.tanh(z[0], block, length);
            math.sigmoid(z[1], before, peephole[0], forget, length);
            math.sigmoid(z[3], before, peephole[2], input, length);
            PointwiseMath.cell(forget, before, input, block, cell[t + 1], length);
            math.sigmoid(z[2], cell[t + 1], peephole[1], output, length);
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

        /** The dense input's share of all gates in a chunk. */
        private void multiplyInput(int first, int count, Weights weights, Scratch scratch) {
            long x = input.gathered(first, count, inputPitch, scratch.input);
            long z = gateAddress(scratch, 0, count);
            if (manyRows) {
                inputLayout.multiply(count * rows, x, inputPitch, 0f, z, false);
            } else {
                multiplyFewRows(count * rows, x, inputs, weights.input, 0f, z);
            }
        }

        /** The one-hot input's share of all gates in a step: rows of the weights, with the bias. */
        private void gatherInputRows(int t, FloatBuffer gateView) {
            gateView.position(0);
            for (int b = 0; b < rows; b++) {
                gateView.put(inputRows, classes[t * batch + from + b] * gatePitch, gatePitch);
            }
        }

        /** Onto the input's share of the gates. */
        private void multiplyRecurrent(int t, int inChunk, Weights weights, Scratch scratch) {
            long before = hiddenAddress(t, 1);
            long z = gateAddress(scratch, inChunk, 1);
            if (manyRows) {
                recurrentLayout.multiply(rows, before, unitPitch, 1f, z, t % 2 == 1);
            } else {
                multiplyFewRows(rows, before, size, weights.recurrent, 1f, z);
            }
        }

        /** With the weights as DL4J has them, and so without gaps between rows of inputs. */
        private void multiplyFewRows(int rows, long x, int inputs, Memory weights, float beta, long z) {
            int n = GATES * size;
            Gemm.product(false, true, rows, n, inputs, x, inputs, weights.at(0, (long) n * inputs), inputs, beta, z, n);
        }

        private void maskRows(float[] values, int t) {
            for (int b = 0; b < rows; b++) {
                float m = mask[t * batch + from + b];
                for (int j = b * size; j < (b + 1) * size; j++) {
                    values[j] *= m;
                }
            }
        }

        void backward(Rows errors, Weights weights, Weights gradients, Rows inputErrors, boolean exactMask,
                Scratch scratch) {
            scratch.hold(this, unitPitch, inputPitch, gatePitch);
            clearSums(gradients);
            FloatBuffer deltaView = scratch.deltas.view();
            Rows later = Rows.packed(scratch.oneStep, 0, rows, size, unitPitch);
            long laterAddress = scratch.oneStep.at(0, (long) rows * unitPitch);
            for (int chunk = chunks - 1; chunk >= 0; chunk--) {
                int first = Workers.border(steps, chunk, chunks);
                int count = Workers.border(steps, chunk + 1, chunks) - first;
                for (int t = first + count - 1; t >= first; t--) {
                    errors.get(t, error);
                    if (t < steps - 1) {
                        later.get(0, h);
                        PointwiseMath.add(h, error, length);
                    }
                    gateDeltas(t, exactMask);
                    sumGradients(t);
                    for (int g = 0; g < GATES; g++) {
                        Memory.put(deltaView, deltaOffset(g, t - first), delta[g], length);
                    }
                    boolean fromLast = t % 2 == 1;
                    for (int i = 0; i < GATES && t > 0; i++) {
                        int g = fromLast ? GATES - 1 - i : i;
                        multiplyBack(g, rows, deltaAddress(scratch, g, t - first, 1), recurrentLayout, weights.recurrent,
                                i == 0 ? 0f : 1f, laterAddress, unitPitch, fromLast);
                    }
                }
                multiplyOverTime(first, count, chunk == chunks - 1 ? 0f : 1f, weights, inputErrors, scratch);
            }
        }

        /** What the deltas of a chunk add to the weights' gradients, and what they pass back to the inputs. */
        private void multiplyOverTime(int first, int count, float beta, Weights weights, Rows inputErrors,
                Scratch scratch) {
            int samples = count * rows;
            long before = hiddenAddress(first, count);
            long came = classes == null ? input.gathered(first, count, inputPitch, scratch.input) : 0;
            long n = (long) size * unitPitch;
            long m = (long) size * inputPitch;
            // Gate by gate, so that its deltas are read again while they are near.
            for (int g = 0; g < GATES; g++) {
                long deltas = deltaAddress(scratch, g, 0, count);
                Gemm.overRows(size, unitPitch, samples, deltas, size, before, unitPitch, beta,
                        recurrentSum.at(g * n, n), unitPitch);
                if (classes == null) {
                    Gemm.overRows(size, inputPitch, samples, deltas, size, came, inputPitch, beta,
                            inputSum.at(g * m, m), inputPitch);
                }
                if (inputErrors != null) {
                    multiplyBack(g, samples, deltas, inputLayout, weights.input, g == 0 ? 0f : 1f,
                            inputErrors.packed(first, count, inputPitch, scratch.inputErrors), inputPitch, false);
                }
            }
            if (inputErrors != null) {
                inputErrors.spread(first, count, inputPitch, scratch.inputErrors);
            }
        }

        private void clearSums(Weights gradients) {
            Arrays.fill(dCell, 0);
            clear(biasSum);
            clear(peepholeSum);
            recurrentSum = Memory.share(from == 0, recurrentSum, GATES * size, unitPitch, size, gradients.recurrent);
            if (classes == null) {
                inputSum = Memory.share(from == 0, inputSum, GATES * size, inputPitch, inputs, gradients.input);
            } else if (classSums[0].length == 0) {
                classSums = new float[GATES][inputs][size];
            } else {
                for (float[][] sums : classSums) {
                    clear(sums);
                }
            }
        }

        private void clear(float[][] sums) {
            for (float[] sum : sums) {
                Arrays.fill(sum, 0);
            }
        }

        /** into = beta into + a gate's deltas through weights. */
        private void multiplyBack(int gate, int rows, long deltas, Layout layout, Memory weights, float beta, long into,
                int pitch, boolean fromLast) {
            if (manyRows) {
                layout.multiplyBack(rows, gate, deltas, beta, into, pitch, fromLast);
            } else {
                long n = (long) size * pitch;
                Gemm.product(false, false, rows, pitch, size, deltas, size, weights.at(gate * n, n), pitch, beta, into, pitch);
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

        private void sumGradients(int t) {
            float[] before = cell[t];
            for (int g = 0; g < GATES; g++) {
                if (classes == null) {
                    PointwiseMath.add(delta[g], biasSum[g], length);
                    continue;
                }
                for (int b = 0; b < rows; b++) {
                    System.arraycopy(delta[g], b * size, row, 0, size);
                    PointwiseMath.add(row, classSums[g][classes[t * batch + from + b]], size);
                }
            }
            PointwiseMath.addProduct(delta[1], before, peepholeSum[0], length);
            PointwiseMath.addProduct(delta[2], cell[t + 1], peepholeSum[1], length);
            PointwiseMath.addProduct(delta[3], before, peepholeSum[2], length);
        }

        void addUnits(float[] sums, float[] units) {
            float[] row = new float[size];
            for (int b = 0; b < rows; b++) {
                System.arraycopy(sums, b * size, row, 0, size);
                PointwiseMath.add(row, units, size);
            }
        }
    }
}
