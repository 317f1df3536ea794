package dl4jbridge.fused;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A network of fused layers alone, taken through a segment as one: each thread goes with its part of the batch from
 * the first layer's first time step up to the loss and down to the last gradient, and waits for nobody on the way. What
 * MultiLayerNetwork.computeGradientAndScore does layer by layer, with the same parts of the same layers.
 */
public final class FusedStack {
    /** Of a layer: to add up each gate's gradient, and to take the state over. */
    private static final int END_TASKS = Recurrence.GATES + 1;

    private final FusedGravesLSTMLayer[] layers; // from the input up
    private final Recurrence[] recurrences;
    private final Recurrence.Weights[] weights;
    private final Recurrence.Weights[] gradients;
    private final OutputLoss loss;
    private final OutputLoss.Weights outputWeights;
    private final OutputLoss.Weights outputGradients;
    private final double[][] squares; // [layer, the output's last][gate]: of the gradients, added up

    private FusedStack(MultiLayerNetwork net) {
        int n = net.getnLayers() - 1;
        layers = new FusedGravesLSTMLayer[n];
        recurrences = new Recurrence[n];
        weights = new Recurrence.Weights[n];
        gradients = new Recurrence.Weights[n];
        for (int i = 0; i < n; i++) {
            layers[i] = (FusedGravesLSTMLayer) net.getLayer(i);
            recurrences[i] = layers[i].recurrence();
            weights[i] = layers[i].weights();
            gradients[i] = layers[i].gradients();
        }
        FusedRnnOutputLayer output = (FusedRnnOutputLayer) net.getOutputLayer();
        loss = output.loss();
        outputWeights = output.weights();
        outputGradients = output.gradients();
        squares = new double[n + 1][Recurrence.GATES];
    }

    /** The layers of this network, or null where there is more to a step than they and a loss. */
    public static FusedStack of(MultiLayerNetwork net) {
        Layer[] all = net.getLayers();
        int top = all.length - 1;
        if (top < 1 || !(all[top] instanceof FusedRnnOutputLayer) || !isPlain(all[top])
                || !net.getLayerWiseConfigurations().getInputPreProcessors().isEmpty()) {
            return null;
        }
        for (int i = 0; i < top; i++) {
            if (!(all[i] instanceof FusedGravesLSTMLayer) || !isPlain(all[i])
                    || !((FusedGravesLSTMLayer) all[i]).carriesGradientState()) {
                return null;
            }
        }
        return new FusedStack(net);
    }

    private static boolean isPlain(Layer layer) {
        BaseLayer conf = (BaseLayer) layer.conf().getLayer();
        return conf.getIDropout() == null && conf.getWeightNoise() == null;
    }

    /**
     * The gradient of one segment, into the network's own; the state goes on to its end.
     *
     * @param x       [batch, inputs, steps]
     * @param labels  [batch, outputs, steps]
     * @return false if nothing was done, since these are not of the kind that is computed here
     */
    public boolean computeGradient(INDArray x, INDArray labels) {
        layers[0].check(x, layers[0].hidden());
        long[] wanted = {x.size(0), outputWeights.bias.length(), x.size(2)};
        if (x.dataType() != DataType.FLOAT || !Arrays.equals(labels.shape(), wanted) || !loss.read(labels)) {
            return false;
        }
        int top = layers.length - 1;
        recurrences[0].begin(x, layers[0].hidden(), layers[0].cell(), layers[0].size());
        for (int i = 1; i <= top; i++) {
            recurrences[i].begin(recurrences[i - 1], layers[i].hidden(), layers[i].cell(), layers[i].size());
        }
        loss.begin((int) x.size(0), layers[top].size(), (int) x.size(2), outputWeights);
        Workers.run(1 + layers.length * Recurrence.GATES, this::layOut);
        int parts = recurrences[0].parts();
        Recurrence.Scratch[] scratch = Recurrence.scratch(parts);
        AtomicIntegerArray left = new AtomicIntegerArray(parts);
        for (int p = 0; p < parts; p++) {
            left.set(p, layers.length + 1);
        }
        // Who is through first adds up what all parts have left behind already.
        Workers.run(parts + 1 + layers.length * END_TASKS, task -> {
            if (task < parts) {
                walk(task, scratch[task], left);
            } else {
                end(task - parts, left);
            }
        });
        keep();
        return true;
    }

    private void layOut(int task) {
        if (task == 0) {
            loss.layOut(outputWeights);
        } else {
            int layer = (task - 1) / Recurrence.GATES;
            recurrences[layer].layOut(weights[layer], (task - 1) % Recurrence.GATES);
        }
    }

    /** @param left  how many layers, the output's included, each part has still to go back through */
    private void walk(int part, Recurrence.Scratch scratch, AtomicIntegerArray left) {
        int top = layers.length - 1;
        try {
            for (int i = 0; i <= top; i++) {
                recurrences[i].forwardPart(part, weights[i], null, scratch);
            }
            Rows errors = recurrences[top].outputErrors(part);
            loss.backwardPart(part, recurrences[top].outputs(part), outputGradients, errors);
            left.set(part, layers.length);
            for (int i = top; i >= 0; i--) {
                Rows below = i == 0 ? null : recurrences[i - 1].outputErrors(part);
                recurrences[i].backwardPart(part, errors, weights[i], gradients[i], below, scratch);
                left.set(part, i);
                errors = below;
            }
        } finally {
            // Or the others would wait for a part that failed.
            left.set(part, 0);
        }
    }

    /** What can be done for a layer when all parts are through with it: the output first, then from the top down. */
    private void end(int task, AtomicIntegerArray left) {
        int layer = layers.length - (task + END_TASKS - 1) / END_TASKS;
        for (int p = 0; p < left.length(); p++) {
            while (left.get(p) > layer) {
                Thread.yield();
            }
        }
        int gate = (task + END_TASKS - 1) % END_TASKS;
        if (layer == layers.length) {
            squares[layer][0] = loss.sumParts(outputGradients);
        } else if (gate < Recurrence.GATES) {
            squares[layer][gate] = recurrences[layer].sumParts(gate, gradients[layer]);
        } else {
            layers[layer].goOn();
        }
    }

    private void keep() {
        for (int i = 0; i < layers.length; i++) {
            recurrences[i].keepInput();
            weights[i].keep();
            gradients[i].keep();
        }
        outputWeights.keep();
        outputGradients.keep();
    }

    /** Of the last segment's gradient, layer by layer: the sum of its squares. */
    public double[] squares() {
        return Arrays.stream(squares).mapToDouble(gates -> Arrays.stream(gates).sum()).toArray();
    }

    /** Loss of the last segment: the sum over its time steps for each example, and the mean of that over the examples. */
    public double loss() {
        return loss.loss() / recurrences[0].batch();
    }

    /** Share of exact classes in the last segment, NaN where there are none. */
    public double accuracy() {
        return loss.accuracy();
    }
}
