package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * An output layer's loss and all its gradients: one product computes the activation's input, {@link Criterion} the loss
 * and its gradient there, and one product the gradient of the layer's input. The batch is cut into one part a thread, as
 * in {@link Recurrence}, and time into chunks of steps.
 */
abstract class OutputLoss {
    /** Numbers of weights between which chunks pay: with fewer the calls cost more, and more do not fit the second-level cache. */
    private static final int CHUNKS_FROM = 10_000;
    private static final int CHUNKS_TO = 150_000;
    /** Samples whose activations are computed together. */
    private static final int ROWS = 8;

    private int batch;
    private int size;
    private int steps;
    private int outputs;
    private int inputPitch; // floats from sample to sample, in memory that products read and write
    private int outputPitch;
    private Part[] parts = new Part[0];
    private final Panels weightPanels = new Panels(); // [input, output]
    private final Panels transposedPanels = new Panels(); // [output, input]
    private final Transposition.Scratch layoutScratch = new Transposition.Scratch();
    private Memory inputScratch;
    private float[] bias;
    private double loss;
    private double accuracy = Double.NaN;

    /** DL4J's parameters (or gradients) of an output layer: W [size, outputs] in 'f' order, b [1, outputs]. */
    static final class Weights {
        final Memory weight;
        final Memory bias;

        Weights(INDArray weight, INDArray bias) {
            this.weight = Memory.of(weight);
            this.bias = Memory.of(bias);
        }

        void keep() {
            weight.keep();
            bias.keep();
        }
    }

    /** Takes the labels of the next backward pass; returns false if this loss does not cover them. */
    abstract boolean read(INDArray labels);

    /** The loss of a part of the batch, for many backward passes. */
    abstract Criterion criterion(int batch, int from, int to, int outputs);

    /** True if the loss at a time step depends on other steps. */
    boolean dependsOnOtherSteps() {
        return false;
    }

    /** The loss summed over all samples of the last backward pass. */
    final double loss() {
        return loss;
    }

    /** Accuracy in the last backward pass, 0 to 1; NaN without classes. */
    final double accuracy() {
        return accuracy;
    }

    /**
     * @param x              [batch, size, steps]
     * @param inputGradient  'c' array [steps, batch, size] to fill
     */
    final void backward(INDArray x, Weights weights, Weights gradients, INDArray inputGradient) {
        inputScratch = Sequence.scratch(x, inputScratch);
        Memory input = Sequence.rows(x, inputScratch);
        Memory inputErrors = Memory.of(inputGradient);
        begin((int) x.size(0), (int) x.size(1), (int) x.size(2), weights);
        layOut(weights);
        Workers.run(parts.length, p -> backwardPart(p, parts[p].of(input), gradients, parts[p].of(inputErrors)));
        sumParts(gradients);
        input.keep();
        inputErrors.keep();
        weights.keep();
        gradients.keep();
    }

    /** Prepares a backward pass. {@link #layOut} follows, then {@link #backwardPart} for each part. */
    final void begin(int batch, int size, int steps, Weights weights) {
        int threads = Math.min(Workers.threads(), batch);
        outputs = (int) weights.bias.length();
        if (batch != this.batch || size != this.size || steps != this.steps || threads != parts.length) {
            this.batch = batch;
            this.size = size;
            this.steps = steps;
            inputPitch = Gemm.columns(size);
            outputPitch = Gemm.columns(outputs);
            parts = new Part[threads];
            for (int p = 0; p < threads; p++) {
                parts[p] = new Part(Workers.border(batch, p, threads), Workers.border(batch, p + 1, threads));
            }
            weightPanels.allocate(size, outputs);
            transposedPanels.allocate(outputs, size);
        }
        bias = new float[outputs];
        Memory.get(weights.bias.view(), 0, bias, outputs);
    }

    /** Copies the weights into the order in which the products read them. */
    final void layOut(Weights weights) {
        layOutForward(weights);
        transposedPanels.put(layoutScratch.from, 0, size);
    }

    /** The same for {@link #forwardPart} alone. */
    final void layOutForward(Weights weights) {
        Transposition.Scratch scratch = layoutScratch.atLeast(outputs * size);
        Memory.get(weights.weight.view(), 0, scratch.from, outputs * size);
        Transposition.transpose(scratch.from, outputs, size, scratch.to, 0, outputs);
        weightPanels.put(scratch.to, 0, outputs);
    }

    /**
     * Computes a part's outputs.
     *
     * @param into    [batch, intoSteps, outputs]
     */
    final void forwardPart(int part, Rows input, IActivation activation, Memory into, int intoSteps) {
        parts[part].forward(input, activation, into, intoSteps);
    }

    /** Computes a part's share of the gradients; {@link #sumParts} completes them. */
    final void backwardPart(int part, Rows input, Weights gradients, Rows inputErrors) {
        parts[part].backward(input, gradients, inputErrors);
    }

    /** Sums loss, accuracy and gradients over all parts; returns the sum of the gradients' squares. */
    final double sumParts(Weights gradients) {
        float[] biasSum = new float[outputs];
        loss = 0;
        double hits = 0;
        for (Part part : parts) {
            loss += part.criterion.loss;
            hits += part.criterion.hits;
            PointwiseMath.add(part.criterion.biasSum, biasSum, outputs);
        }
        Memory[] sums = Arrays.stream(parts).map(part -> part.weightSum).toArray(Memory[]::new);
        accuracy = hits / ((double) steps * batch);
        Memory.put(gradients.bias.view(), 0, biasSum, outputs);
        SquareSum squares = new SquareSum(outputs);
        squares.add(biasSum, outputs);
        return squares.total() + Memory.sumRows(sums, inputPitch, 0, outputs, size, gradients.weight);
    }

    /** Some rows of the batch, computed by one thread. */
    private final class Part {
        final int from;
        final int to;
        final int rows;
        final Criterion criterion;
        Memory errors; // [step of a chunk, row, outputPitch]: first the activation's input
        Memory input; // [step of a chunk, row, inputPitch], or its gradient
        Memory weightSum; // [output, inputPitch]
        private OutputActivation activate; // of forward, as the next two
        private float[] sums;
        private float[] biases;

        Part(int from, int to) {
            this.from = from;
            this.to = to;
            rows = to - from;
            criterion = criterion(batch, from, to, outputs);
        }

        Rows of(Memory sequence) {
            return Rows.of(sequence, batch, size, from, to);
        }

        void backward(Rows x, Weights gradients, Rows inputErrors) {
            int chunks = chunks();
            long most = (long) Gemm.longest(steps, chunks) * rows;
            errors = Memory.atLeast(errors, most * outputPitch);
            input = Memory.atLeast(input, most * inputPitch);
            weightSum = Memory.share(from == 0, weightSum, outputs, inputPitch, size, gradients.weight);
            long sum = weightSum.at(0, (long) outputs * inputPitch);
            criterion.begin();
            for (int chunk = 0; chunk < chunks; chunk++) {
                int first = Workers.border(steps, chunk, chunks);
                int count = Workers.border(steps, chunk + 1, chunks) - first;
                int samples = count * rows;
                long z = errors.at(0, (long) samples * outputPitch);
                long in = x.gathered(first, count, inputPitch, input);
                weightPanels.multiply(samples, in, inputPitch, 0f, z, outputPitch, false);
                criterion.differentiate(errors.view(), outputPitch, bias, first, count);
                Gemm.overRows(outputs, inputPitch, samples, z, outputPitch, in, inputPitch,
                        first == 0 ? 0f : 1f, sum, inputPitch);
                long into = inputErrors.packed(first, count, inputPitch, input);
                transposedPanels.multiply(samples, z, outputPitch, 0f, into, inputPitch, false);
                inputErrors.spread(first, count, inputPitch, input);
            }
        }

        void forward(Rows x, IActivation activation, Memory into, int intoSteps) {
            if (activate == null) {
                activate = new OutputActivation(activation, outputs, ROWS);
                sums = new float[ROWS * outputs];
                biases = new float[ROWS * outputs];
            }
            for (int row = 0; row < ROWS; row++) {
                System.arraycopy(bias, 0, biases, row * outputs, outputs);
            }
            int chunks = chunks();
            long most = (long) Gemm.longest(steps, chunks) * rows;
            errors = Memory.atLeast(errors, most * outputPitch);
            input = Memory.atLeast(input, most * inputPitch);
            FloatBuffer from = errors.view();
            FloatBuffer to = into.view();
            for (int chunk = 0; chunk < chunks; chunk++) {
                int first = Workers.border(steps, chunk, chunks);
                int count = Workers.border(steps, chunk + 1, chunks) - first;
                int samples = count * rows;
                weightPanels.multiply(samples, x.gathered(first, count, inputPitch, input), inputPitch, 0f,
                        errors.at(0, (long) samples * outputPitch), outputPitch, false);
                for (int i = 0; i < samples; i += ROWS) {
                    int n = Math.min(ROWS, samples - i);
                    Memory.getRows(from, (long) i * outputPitch, outputPitch, sums, 0, n, outputs);
                    PointwiseMath.add(biases, sums, n * outputs);
                    activate.replace(sums, n);
                    for (int j = 0; j < n; j++) {
                        int row = this.from + (i + j) % rows;
                        to.position((row * intoSteps + first + (i + j) / rows) * outputs);
                        to.put(sums, j * outputs, outputs);
                    }
                }
            }
        }

        private int chunks() {
            int weights = size * outputs;
            boolean inChunks = Gemm.multipliesUnpacked && weights >= CHUNKS_FROM && weights <= CHUNKS_TO && !dependsOnOtherSteps();
            return inChunks ? Gemm.chunks(steps, rows) : 1;
        }
    }

    /** The loss of one part, and the sums that it leaves. */
    abstract static class Criterion {
        final int batch;
        final int from;
        final int to;
        final float[] biasSum;
        double loss;
        double hits;

        Criterion(int batch, int from, int to, int outputs) {
            this.batch = batch;
            this.from = from;
            this.to = to;
            this.biasSum = new float[outputs];
        }

        /** Clears the sums of the last backward pass. */
        void begin() {
            Arrays.fill(biasSum, 0);
            loss = 0;
            hits = 0;
        }

        /**
         * Replaces the activation's input, which lacks the bias, by the gradient of the loss there.
         *
         * @param errors  [count, rows of the part, outputs], samples {@code pitch} apart
         */
        abstract void differentiate(FloatBuffer errors, int pitch, float[] bias, int first, int count);
    }
}
