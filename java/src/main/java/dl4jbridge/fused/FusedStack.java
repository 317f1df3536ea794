package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A network of fused layers only, computed as a whole: each thread takes its part of the batch from the first layer's
 * first time step up to the loss and back down to the last gradient, without waiting for other threads. It computes what
 * MultiLayerNetwork.computeGradientAndScore does layer by layer, with the same parts of the same layers.
 */
public final class FusedStack {
    /** Something to do for a layer after all parts have gone back through it. */
    private static final class EndTask {
        final int layer;
        final Runnable work;

        EndTask(int layer, Runnable work) {
            this.layer = layer;
            this.work = work;
        }
    }

    private final FusedRecurrentLayer[] layers; // from the input up
    private final Recurrence[] recurrences;
    private final RecurrentWeights[] weights;
    private final RecurrentWeights[] gradients;
    private final OutputLoss loss;
    private final OutputLoss.Weights outputWeights;
    private final OutputLoss.Weights outputGradients;
    private final double[][] squares; // [layer, the output last][gate]: sums of the gradients' squares
    private final List<Runnable> layOuts = new ArrayList<>(); // the weights, before the forward pass
    private final List<EndTask> endTasks = new ArrayList<>();

    private FusedStack(MultiLayerNetwork net) {
        int n = net.getnLayers() - 1;
        layers = new FusedRecurrentLayer[n];
        recurrences = new Recurrence[n];
        weights = new RecurrentWeights[n];
        gradients = new RecurrentWeights[n];
        for (int i = 0; i < n; i++) {
            layers[i] = (FusedRecurrentLayer) net.getLayer(i);
            recurrences[i] = layers[i].recurrence();
            weights[i] = layers[i].weights();
            gradients[i] = layers[i].gradients();
        }
        FusedRnnOutputLayer output = (FusedRnnOutputLayer) net.getOutputLayer();
        loss = output.loss();
        outputWeights = output.weights();
        outputGradients = output.gradients();
        squares = new double[n + 1][GATES];
        listTasks(n);
    }

    /** The tasks at the end in the order in which the parts reach them: the output first, then from the top down. */
    private void listTasks(int n) {
        layOuts.add(() -> loss.layOut(outputWeights));
        endTasks.add(new EndTask(n, () -> squares[n][0] = loss.sumParts(outputGradients)));
        for (int i = n - 1; i >= 0; i--) {
            int layer = i;
            for (int g = 0; g < GATES; g++) {
                int gate = g;
                layOuts.add(() -> recurrences[layer].layOut(weights[layer], gate));
                endTasks.add(new EndTask(layer,
                        () -> squares[layer][gate] = recurrences[layer].sumParts(gate, gradients[layer])));
            }
            endTasks.add(new EndTask(layer, layers[layer]::carryState));
        }
    }

    /** The stack of this network, or null if a step of it needs more than fused layers, such as dropout. */
    public static FusedStack of(MultiLayerNetwork net) {
        Layer[] all = net.getLayers();
        int top = all.length - 1;
        if (top < 1 || !(all[top] instanceof FusedRnnOutputLayer) || !isPlain(all[top])
                || !net.getLayerWiseConfigurations().getInputPreProcessors().isEmpty()) {
            return null;
        }
        for (int i = 0; i < top; i++) {
            if (!(all[i] instanceof FusedRecurrentLayer) || !isPlain(all[i])
                    || !((FusedRecurrentLayer) all[i]).carriesGradientState()) {
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
     * Computes the gradient of one segment into the network's gradient, and carries the state to the segment's end.
     *
     * @param x       [batch, inputs, steps], FLOAT
     * @param labels  [batch, outputs, steps]
     * @return false, with nothing changed, if the arrays or the labels are of a kind that is not covered
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
        Workers.run(layOuts.size(), task -> layOuts.get(task).run());
        int parts = recurrences[0].parts();
        Scratch[] scratch = Scratch.of(parts);
        AtomicIntegerArray left = new AtomicIntegerArray(parts);
        for (int p = 0; p < parts; p++) {
            left.set(p, layers.length + 1);
        }
        // A thread whose part is done takes the end tasks of the layers that all parts have left.
        Workers.run(parts + endTasks.size(), task -> {
            if (task < parts) {
                walk(task, scratch[task], left);
            } else {
                end(endTasks.get(task - parts), left);
            }
        });
        keep();
        return true;
    }

    /** @param left  number of layers, including the output, that each part has still to go back through */
    private void walk(int part, Scratch scratch, AtomicIntegerArray left) {
        int top = layers.length - 1;
        try {
            for (int i = 0; i <= top; i++) {
                recurrences[i].part(part).forward(weights[i], null, null, scratch);
            }
            Rows errors = recurrences[top].part(part).outputErrors();
            loss.backwardPart(part, recurrences[top].part(part).outputs(), outputGradients, errors);
            left.set(part, layers.length);
            for (int i = top; i >= 0; i--) {
                Rows below = i == 0 ? null : recurrences[i - 1].part(part).outputErrors();
                recurrences[i].part(part).backward(errors, weights[i], gradients[i], below, true, scratch);
                left.set(part, i);
                errors = below;
            }
        } finally {
            // Or the other threads would wait for a part that failed.
            left.set(part, 0);
        }
    }

    private static void end(EndTask task, AtomicIntegerArray left) {
        for (int p = 0; p < left.length(); p++) {
            while (left.get(p) > task.layer) {
                Thread.yield();
            }
        }
        task.work.run();
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

    /** Sum of the squares of each layer's gradient in the last segment. */
    public double[] squares() {
        return Arrays.stream(squares).mapToDouble(gates -> Arrays.stream(gates).sum()).toArray();
    }

    /** Loss of the last segment, summed over time steps and averaged over examples. */
    public double loss() {
        return loss.loss() / recurrences[0].batch();
    }

    /** Accuracy in the last segment, 0 to 1; NaN without classes. */
    public double accuracy() {
        return loss.accuracy();
    }
}
